"""The process that draws: `python -m tenure.web.chart_maker`. Altair and vl-convert live here and nowhere else.

It reads one request a line from standard input, answers one line each, and ends when nothing was asked for
`IDLE_S` seconds or its input is closed, so that a quiet server keeps no memory for charts.
"""

from __future__ import annotations

import selectors
import signal
import sys
from typing import Any

import msgspec

from tenure.web.chart_data import Look

IDLE_S = 60.0


class Asked(msgspec.Struct):
    """What to make. `name` is a chart of `charts.DEFINITIONS`, or `bundle` for the browser's JavaScript."""

    name: str
    form: str  # svg | spec | bundle
    look: Look = Look(theme="light", width=800)
    data: msgspec.Raw = msgspec.Raw(b"null")


class Made(msgspec.Struct):
    """What was made as text; `failure` says why nothing was."""

    text: str = ""
    failure: str = ""


def make(asked: Asked) -> str:
    """The chart as SVG, as a Vega-Lite specification in JSON, or the bundle that draws such in a browser."""
    import vl_convert

    if asked.form == "bundle":
        return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
    from altair.utils import schemapi

    from tenure.web import charts

    kind, definition = charts.DEFINITIONS[asked.name]
    with schemapi.debug_mode(False):  # the tests hold every definition against the schema; it takes a second
        chart = definition(msgspec.json.decode(asked.data, type=kind), asked.look)
        spec: dict[str, Any] = chart.to_dict(validate=False)
    if asked.form == "spec":
        return msgspec.json.encode(spec).decode()
    return str(vl_convert.vegalite_to_svg(spec))


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server; this process ends when its input does
    waiting = selectors.DefaultSelector()
    waiting.register(sys.stdin.buffer, selectors.EVENT_READ)
    while waiting.select(timeout=IDLE_S):
        line = sys.stdin.buffer.readline()
        if not line:
            return
        sys.stdout.buffer.write(msgspec.json.encode(_answer(line)) + b"\n")
        sys.stdout.buffer.flush()


def _answer(line: bytes) -> Made:
    try:
        return Made(text=make(msgspec.json.decode(line, type=Asked)))
    except Exception as problem:
        return Made(failure=f"{type(problem).__name__}: {problem}")


if __name__ == "__main__":
    main()
