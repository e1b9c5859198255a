"""Runs beside each other: params, metrics, tags, curves, and how they go together; everything by URL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Response, get
from litestar.params import Parameter

from tenure.errors import InvalidInput, NotFound
from tenure.records.people import Permission, Principal
from tenure.records.provenance import environment_difference, provenance_of
from tenure.records.tracking import Run
from tenure.store import run_keys
from tenure.store import runs as kept_runs
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web import comparing, curves
from tenure.web.chart_data import Parallels, Scatter
from tenure.web.drawing import Form, Theme, drawn
from tenure.web.page import show
from tenure.web.run_columns import SYSTEM, Column, chosen, column

MOST_RUNS = 100
SIDE_BY_SIDE = 6
"""With more runs than this each is a line of the table instead of a column."""
DEFAULT_CURVES = 4
MOST_CURVES = 24
DEFAULT_AXES = 6
MOST_AXES = 12
LISTED_LINES = 400

Many = Annotated[list[str] | None, Parameter(required=False)]


@get("/runs/compare", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def page(
    ground: Ground,
    principal: Principal,
    run: Many = None,
    metric: Many = None,
    every: Annotated[bool, Parameter(query="all")] = False,
    x: str = "step",
    log: bool = False,
    smooth: float = 0.0,
    axes: str = "",
    axis: Many = None,
    target: str = "",
    across: str = "",
    up: str = "",
) -> Response[str]:
    view = curves.view_of(x, log, smooth)
    wanted = _wanted(run)

    def load(tx: Transaction) -> dict[str, Any]:
        found = kept_runs.get_many(tx, wanted)
        if not found:
            raise NotFound("None of these runs is here. They may have been deleted for good, or the address was cut.")
        names = curves.distinct([one.info.run_name or one.info.run_id for one in found])
        columns = comparing.columns_of(found)
        goal = _target(target, columns)
        found_out = comparing.associations(found, goal) if goal else []
        said = {"run": [one.info.run_id for one in found], **view.query, "all": "true" if every else ""}
        return {
            "runs": found,
            "names": names,
            "missing": len(wanted) - len(found),
            "wide": len(found) <= SIDE_BY_SIDE,
            "limit": SIDE_BY_SIDE,
            "every": every,
            "params": comparing.param_lines(found)[:LISTED_LINES],
            "metrics": comparing.metric_lines(found)[:LISTED_LINES],
            "tags": comparing.tag_lines(found)[:LISTED_LINES],
            **_curve_parts(tx, found, metric),
            **_axis_parts(columns, axes, axis, goal),
            **_scatter_parts(
                found, columns, across or "".join(f"params.{one.param}" for one in found_out[:1]), up, goal
            ),
            "associations": found_out,
            "least": comparing.LEAST_FOR_PARAMS,
            "target": goal,
            "targets": [one for one in columns if one.group == "metrics"],
            "view": view,
            "across_names": curves.ACROSS,
            "smoothings": curves.SMOOTHINGS,
            "said": said,
            "environment": _environment(found),
        }

    return show(ground, principal, "compare.html", load, current="runs")


@get("/runs/compare/charts/curves", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def curves_chart(
    ground: Ground,
    key: str,
    run: Many = None,
    x: str = "step",
    log: bool = False,
    smooth: float = 0.0,
    form: Form = "svg",
    theme: Theme = "light",
    width: int = 536,
) -> Response[str]:
    """One metric of the runs over each other."""
    view, wanted = curves.view_of(x, log, smooth), _wanted(run)

    def load(tx: Transaction) -> Any:
        named = run_keys.names(tx, wanted)
        runs = [(one, named[one] or one) for one in wanted if one in named]
        return curves.curves_of(tx, runs, key, view)

    found = ground.database.read(load)
    if not found.curves:
        raise NotFound(f"None of these runs has a metric {key[:250]!r}.")
    return drawn(ground, "curves", found, form=form, theme=theme, width=width)


@get("/runs/compare/charts/parallels", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def parallels_chart(
    ground: Ground,
    axes: str,
    run: Many = None,
    target: str = "",
    form: Form = "svg",
    theme: Theme = "light",
    width: int = 1136,
) -> Response[str]:
    """Each run a line through the chosen axes."""
    wanted, columns = _wanted(run), chosen(axes, ())[:MOST_AXES]
    found = ground.database.read(lambda tx: kept_runs.get_many(tx, wanted))
    goal = column(target) if target else None
    colour = comparing.numbers_of(comparing.values_of(found, goal)) if goal else None
    data = Parallels(
        runs=curves.distinct([one.info.run_name or one.info.run_id for one in found]),
        axes=[comparing.axis(found, one) for one in columns],
        colour=colour or [None] * len(found),
        coloured_by=goal.key if goal and colour else "",
    )
    return drawn(ground, "parallels", data, form=form, theme=theme, width=width)


@get("/runs/compare/charts/scatter", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def scatter_chart(
    ground: Ground,
    across: str,
    up: str,
    run: Many = None,
    form: Form = "svg",
    theme: Theme = "light",
    width: int = 536,
) -> Response[str]:
    """One value of the runs against another."""
    wanted = _wanted(run)
    found = ground.database.read(lambda tx: kept_runs.get_many(tx, wanted))
    return drawn(ground, "scatter", _scatter(found, column(across), column(up)), form=form, theme=theme, width=width)


def _wanted(run: list[str] | None) -> list[str]:
    wanted = [one for one in dict.fromkeys(run or ()) if one]
    if not 0 < len(wanted) <= MOST_RUNS:
        raise InvalidInput(
            f"Between 2 and {MOST_RUNS} runs can be compared. Got {len(wanted)}. Tick them in the list of runs.",
            where="run",
        )
    return wanted


def _curve_parts(tx: Transaction, runs: Sequence[Run], metric: list[str] | None) -> dict[str, Any]:
    """Which metrics have curves, and which of them are shown."""
    counted: dict[str, int] = {}
    for one in runs:
        for key in run_keys.curved(tx, one.info.run_id):
            counted[key] = counted.get(key, 0) + 1
    curved = sorted(counted, key=lambda key: (key.startswith(SYSTEM), -counted[key], key))
    asked = [key for key in dict.fromkeys(metric or ()) if key in counted]
    return {"curved": curved, "shown_curves": (asked or _first_curves(curved))[:MOST_CURVES], "chose_curves": asked}


def _first_curves(curved: Sequence[str]) -> list[str]:
    """What was trained before what the machine did."""
    return [key for key in curved if not key.startswith(SYSTEM)][:DEFAULT_CURVES] or list(curved[:DEFAULT_CURVES])


def _target(name: str, columns: Sequence[Column]) -> Column | None:
    """The metric that things are held against: the chosen one, else the first whose better way is known."""
    metrics = [one for one in columns if one.group == "metrics"]
    if name:
        asked = column(name)
        if asked.group != "metrics":
            raise InvalidInput(f"The target must be a metric, such as metrics.auc. Got {name[:100]!r}.", where="target")
        return asked if asked in metrics else None
    known = [one for one in metrics if comparing.direction(one.key) and not one.key.startswith(SYSTEM)]
    return next(iter(sorted(known, key=lambda one: comparing.direction(one.key) != "more") or metrics), None)


def _axis_parts(
    columns: Sequence[Column], axes: str, ticked: list[str] | None, target: Column | None
) -> dict[str, Any]:
    asked = [one for one in chosen(axes, ticked or ()) if one in columns][:MOST_AXES]
    params = [one for one in columns if one.group == "params"][:DEFAULT_AXES]
    others = [one for one in columns if one.group == "metrics" and one != target and not one.key.startswith(SYSTEM)]
    some = [*params, *others[: max(2 - len(params), 0)], *([target] if target else [])]
    return {"axes": asked or some, "axis_columns": columns, "axis_names": ",".join(one.name for one in asked or some)}


def _scatter_parts(
    runs: Sequence[Run], columns: Sequence[Column], across: str, up: str, target: Column | None
) -> dict[str, Any]:
    from tenure.stats.ranks import spearman

    numeric = [one for one in columns if comparing.numbers_of(comparing.values_of(runs, one)) is not None]
    first = column(across) if across else next((one for one in numeric if one != target), None)
    second = column(up) if up else target
    if first is None or second is None or first not in columns or second not in columns:
        return {"across": None, "up": None, "correlation": None}
    data = _scatter(runs, first, second)
    plain = not any(isinstance(value, str) for value in [*data.x, *data.y])
    return {"across": first, "up": second, "correlation": spearman(data.x, data.y) if plain and data.x else None}


def _scatter(runs: Sequence[Run], across: Column, up: Column) -> Scatter:
    names = curves.distinct([one.info.run_name or one.info.run_id for one in runs])
    sides = []
    for one in (across, up):
        raw = comparing.values_of(runs, one)
        numbers = comparing.numbers_of(raw)
        sides.append(
            ([None if value is None else str(value) for value in raw], None) if numbers is None else (None, numbers)
        )
    (x_texts, x_numbers), (y_texts, y_numbers) = sides
    x: Sequence[float | str | None] = x_numbers or x_texts or []
    y: Sequence[float | str | None] = y_numbers or y_texts or []
    rows = [(name, one, two) for name, one, two in zip(names, x, y, strict=True) if one is not None and two is not None]
    return Scatter(
        runs=[name for name, _, _ in rows],
        x_name=across.key,
        y_name=up.key,
        x=[one for _, one, _ in rows],
        y=[two for _, _, two in rows],
        x_log=x_numbers is not None and comparing.spreads_widely(x_numbers),
        y_log=y_numbers is not None and comparing.spreads_widely(y_numbers),
    )


def _environment(runs: Sequence[Run]) -> dict[str, Any] | None:
    """How code and environment of two runs differ; None for more runs, or when neither told anything."""
    if len(runs) != 2:
        return None
    one, two = (provenance_of({tag.key: tag.value for tag in run.data.tags}, run.inputs.dataset_inputs) for run in runs)
    if not one.is_known and not two.is_known:
        return None
    code = [
        {"name": name, "before": getattr(one.code, name), "after": getattr(two.code, name)}
        for name in one.code.__struct_fields__
        if getattr(one.code, name) != getattr(two.code, name)
    ]
    return {"code": code, "difference": environment_difference(one.environment, two.environment)}


handlers = [page, curves_chart, parallels_chart, scatter_chart]
