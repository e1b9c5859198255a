"""Columns of a list of runs: how they stand in a URL, which are shown when nobody chose, and what a cell says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tenure.errors import InvalidInput
from tenure.records.tracking import Number, Run
from tenure.web import wording

KINDS = {"metrics": "metric", "params": "param", "tags": "tag", "attributes": "attribute"}
ATTRIBUTES = {
    "start_time": "Started",
    "duration": "Took",
    "status": "Status",
    "user_id": "By",
    "experiment": "Experiment",
    "end_time": "Ended",
    "datasets": "Datasets",
    "run_id": "Run id",
    "run_name": "Run",
}
SORTABLE = frozenset({"start_time", "status", "user_id", "end_time", "run_id", "run_name"})
OLD_SORTS = {"started": "attributes.start_time", "name": "attributes.run_name", "status": "attributes.status"}
MOST_COLUMNS = 60
DEFAULT_METRICS = 4
DEFAULT_PARAMS = 4
SYSTEM = "system/"
OWN_TAGS = "mlflow."


class Column(NamedTuple):
    """`group`: metrics, params, tags or attributes."""

    group: str
    key: str

    @property
    def name(self) -> str:
        """How it stands in a URL."""
        return f"{self.group}.{self.key}"

    @property
    def title(self) -> str:
        return ATTRIBUTES[self.key] if self.group == "attributes" else self.key

    @property
    def is_number(self) -> bool:
        return self.group == "metrics" or self.key == "duration"

    @property
    def is_sortable(self) -> bool:
        return self.group != "attributes" or self.key in SORTABLE

    @property
    def order(self) -> str:
        """How the search language names it."""
        mark = '"' if "`" in self.key else "`"
        return f"{self.group}.{mark}{self.key}{mark}"


def column(name: str) -> Column:
    """A column by its name in a URL. Raises InvalidInput for one that cannot be."""
    group, _, key = OLD_SORTS.get(name, name).strip().partition(".")
    key = key.strip("`") if len(key) > 2 else key
    if group in KINDS and key and (group != "attributes" or key in ATTRIBUTES):
        return Column(group, key)
    known = ", ".join(f"attributes.{one}" for one in ATTRIBUTES)
    raise InvalidInput(
        f"A column must be metrics.…, params.…, tags.… or one of {known}. Got {name[:100]!r}.", where="columns"
    )


def chosen(names: str, ticked: Iterable[str]) -> list[Column]:
    """The columns of a URL: names with commas between, and those that were ticked in a form; each once."""
    wanted = [*(part for part in names.split(",") if part.strip()), *(one for one in ticked if one.strip())]
    if len(wanted) > MOST_COLUMNS:
        raise InvalidInput(f"At most {MOST_COLUMNS} columns can be shown. Got {len(wanted)}.", where="columns")
    return list(dict.fromkeys(column(name) for name in wanted))


def sensible(runs: Sequence[Run]) -> list[Column]:
    """Few columns that tell these runs apart: when they began, and metrics and params that most have and that differ.

    What is the same everywhere is left out: a status that all share, a param that nobody turned.
    """
    metrics = _telling([{one.key: one.value for one in run.data.metrics} for run in runs], DEFAULT_METRICS)
    params = _telling([{one.key: one.value for one in run.data.params} for run in runs], DEFAULT_PARAMS)
    names = ["start_time"]
    names += ["status"] if {run.info.status for run in runs} - {"FINISHED"} else []
    names += ["experiment"] if len({run.info.experiment_id for run in runs}) > 1 else []
    return [
        *(Column("attributes", key) for key in names),
        *(Column("metrics", key) for key in metrics),
        *(Column("params", key) for key in params),
        Column("attributes", "duration"),
    ]


def _telling(given: Sequence[dict[str, Number] | dict[str, str]], most: int) -> list[str]:
    """Keys with several values, those that most have first; else keys that some lack; else what all share."""
    had: Counter[str] = Counter()
    values: dict[str, set[object]] = {}
    for one in given:
        for key, value in one.items():
            if not key.startswith(SYSTEM):
                had[key] += 1
                values.setdefault(key, set()).add(value)
    varied = [key for key in had if len(values[key]) > 1]
    lacked = [key for key in had if had[key] < len(given)]
    return sorted(varied or lacked or had, key=lambda key: (-had[key], key.count("/"), key))[:most]


def natural(key: str) -> list[tuple[int, str | int]]:
    """What keys are sorted by so that `layer 2` comes before `layer 10`.

    >>> sorted(["layer 10", "layer 2", "a"], key=natural)
    ['a', 'layer 2', 'layer 10']
    """
    parts = re.findall(r"([0-9]{1,18})|([^0-9]+|[0-9]{19,})", key)
    return [(0, int(number)) if number else (1, text) for number, text in parts]


class Cell(NamedTuple):
    """What a cell says. `value` is the number behind a metric, where it is one."""

    text: str
    value: float | None = None


NOTHING = Cell("")


def cells(run: Run, columns: Sequence[Column], experiment: str) -> list[Cell]:
    """What a run says in each column; empty where it has nothing to say."""
    metrics = {one.key: one.value for one in run.data.metrics}
    texts = {
        "params": {one.key: one.value for one in run.data.params},
        "tags": {one.key: one.value for one in run.data.tags},
    }
    found = []
    for one in columns:
        if one.group == "metrics":
            found.append(_measured(metrics.get(one.key)))
        elif one.group == "attributes":
            found.append(Cell(_attribute(run, one.key, experiment)))
        else:
            found.append(Cell(texts[one.group].get(one.key, "")))
    return found


def _measured(value: Number | None) -> Cell:
    if value is None:
        return NOTHING
    if isinstance(value, str):
        return Cell({"Infinity": "∞", "-Infinity": "−∞"}.get(value, value))
    return Cell(wording.figure(value), value)


def _attribute(run: Run, key: str, experiment: str) -> str:
    info = run.info
    took = max(info.end_time - info.start_time, 0) * 1000 if info.end_time else None
    told = {
        "start_time": _moment(info.start_time),
        "end_time": _moment(info.end_time) if info.end_time else "",
        "duration": wording.duration(took) if took is not None else "",
        "status": info.status,
        "user_id": info.user_id,
        "experiment": experiment,
        "datasets": ", ".join(dict.fromkeys(one.dataset.name for one in run.inputs.dataset_inputs)),
        "run_name": info.run_name,
        "run_id": info.run_id,
    }
    return told[key]


def _moment(at_ms: int) -> str:
    """An instant; that it is UTC stands at the foot of the page."""
    return wording.instant(wording.of_ms(at_ms)).removesuffix(" UTC")
