"""The process that compiles: `python -m tenure.serving.forms.making.job ORDER --parent PID`.

It alone loads the version, from a folder whose bytes it verifies first, within limits of memory and time, without the
server's settings, database, key or token. Its last act is to leave a result beside the form's files.
"""

from __future__ import annotations

import argparse
import logging
import os
import resource
import signal
import sys
import warnings
from pathlib import Path

import msgspec
import numpy as np

from tenure.records.forms import FormOrder, FormResult
from tenure.serving import lifeline, scorer

RESULT_FILE = "result.msgpack"


def main() -> None:
    parser = argparse.ArgumentParser(prog="tenure.serving.forms.making.job")
    parser.add_argument("order", type=Path)
    parser.add_argument("--parent", type=int, required=True, help="pid of the worker")
    parser.add_argument("--memory-mib", type=int, required=True)
    given = parser.parse_args()
    lifeline.die_with_parent(given.parent, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_DATA, (given.memory_mib * 1024**2,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    order = msgspec.msgpack.decode(given.order.read_bytes(), type=FormOrder)
    try:
        scorer.verify(Path(order.folder), order.files)
        result = made(order)
    except scorer.CannotServe as problem:
        sys.exit(str(problem))
    except MemoryError:
        sys.exit(f"it needs more than {given.memory_mib} MiB of memory")
    draft = Path(order.out) / f".{RESULT_FILE}"
    draft.write_bytes(msgspec.msgpack.encode(result))
    draft.rename(Path(order.out) / RESULT_FILE)


def made(order: FormOrder) -> FormResult:
    """Load, compile, compare, and write the form's files. Raises CannotServe when the version cannot be loaded."""
    scorer.import_what_is_sought(order.files)
    from tenure.serving.forms.making.compiling import compile_version
    from tenure.serving.forms.making.subject import Subject

    try:
        subject = Subject.opened(Path(order.folder), order.inputs)
    except MemoryError:
        raise
    except Exception as problem:
        raise scorer.CannotServe(f"the version cannot be loaded: {type(problem).__name__}") from None
    compiled = compile_version(subject, dict(order.sample))
    for name, content in compiled.files.items():
        (Path(order.out) / name).write_bytes(content)
    return FormResult(
        report=compiled.report, probe=dict(compiled.probe), answers=msgspec.msgpack.encode(compiled.answers)
    )


if __name__ == "__main__":
    main()
