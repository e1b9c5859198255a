"""`tenure monitor service`: what an endpoint promises, how it stands, and what it carries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import click

from tenure.cli.asking import number, server_option, show, when

SHOWN = 12


@click.command("service")
@click.argument("endpoint")
@click.option("--hours", type=click.IntRange(1, 2160), default=24, show_default=True, help="So much of the series.")
@server_option
def service(endpoint: str, hours: int, client: Any, as_json: bool) -> None:
    """Error budgets with their burn rates, requests and latency over the last hours, and at which load p99 was what.

    The table shows the latest twelve spans; --json has all.
    """
    told = client.get(f"/api/v1/endpoints/{quote(endpoint, safe='')}/service", {"hours": hours})
    if as_json:
        show(told, as_json)
        return
    budgets = [_budget(one) for one in told["budgets"]]
    columns = ["objective", "promised", "broke it", "budget left", "gone in", "burn rate over 5m 30m 1h 6h 3d"]
    show(told, False, columns, budgets, f"{endpoint}: error budgets")
    spans = ["from", "requests/s", "failed", "refused", "p50 ms", "p95 ms", "p99 ms", "budget left"]
    show(told, False, spans, [_span(one) for one in told["series"][-SHOWN:]], f"{endpoint}: the latest spans")
    for sentence in told["capacity"]["words"] if told["capacity"] else ["No minute tells yet what it carries."]:
        click.echo(sentence)


def _budget(one: dict[str, Any]) -> tuple[Any, ...]:
    within = f" within {one['latency_ms']:g} ms" if one["latency_ms"] else ""
    hours = one["gone_in_hours"]
    return (
        one["objective"],
        f"{one['target']:.4%}".rstrip("0%").rstrip(".") + f" %{within} over {one['over_days']} d",
        f"{one['spent']['bad']:,} of {one['spent']['total']:,}",
        f"{one['remaining']:.1%}",
        "never at this rate" if hours is None or hours > one["over_days"] * 24 else f"{hours / 24:.1f} d",
        " ".join(f"{rate:.3g}" for rate in _rates(one)),
    )


def _rates(one: dict[str, Any]) -> Iterator[float]:
    found = {rule["short_minutes"]: rule["short_rate"] for rule in one["rules"]}
    found |= {rule["long_minutes"]: rule["long_rate"] for rule in one["rules"]}
    for minutes in sorted(found):
        yield found[minutes]


def _span(one: dict[str, Any]) -> tuple[Any, ...]:
    seconds = (one["end_at"] - one["start_at"]) / 1e6
    left = ", ".join(f"{name} {share:.1%}" for name, share in one["budgets"].items())
    return (
        when(one["start_at"]),
        f"{one['answered'] / seconds:,.3g}",
        one["failed"],
        one["refused"],
        *(number(one[name], 1) for name in ("p50_ms", "p95_ms", "p99_ms")),
        left,
    )


commands = (service,)
