"""Rows of an endpoint as arrays: what was asked, what was scored, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from tenure.monitor.progress import lake_of
from tenure.records.batches import FEATURE_PREFIX
from tenure.records.routing import ReleaseRole
from tenure.store import lake_files
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.store.lake import Lake, Table, instants

Floats = npt.NDArray[np.float64]
Instants = npt.NDArray[np.int64]
Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
OF_A_SCORE = ("prediction_id", "event_at", "version", "role", "score", "latency_us", "model", "clipped")
NO_LATENCY = -1
"""In rows of a batch, which nobody waited for one by one."""
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Rows:
    """Scored rows in the order of event time; every array has shape (n,).

    `score` is NaN where the output was not one number, `y` where the outcome is not known. `columns` holds the
    features by their names: float64 (NaN is missing), int64, bool, or object (text, None is missing). `clipped` says of
    a feature in which rows another value had been sent, outside of its range. `output` is what was answered, as JSON,
    where it was not one number, else None; of shape (0,) when every answer was, or outputs were not asked for.
    `outcome_at` is when the outcome happened, NEVER where none is known.
    """

    prediction_id: Array
    event_at: Instants
    model: Array
    version: npt.NDArray[np.int64]
    role: Array
    score: Floats
    y: Floats
    latency_us: Instants
    columns: dict[str, Array] = field(default_factory=dict)
    clipped: dict[str, Mask] = field(default_factory=dict)
    output: Array = field(default_factory=lambda: np.empty(0, dtype=object))
    outcome_at: Instants = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.event_at)

    def where(self, mask: Mask) -> Rows:
        """The rows for which `mask` is true."""
        return Rows(
            prediction_id=self.prediction_id[mask],
            event_at=self.event_at[mask],
            model=self.model[mask],
            version=self.version[mask],
            role=self.role[mask],
            score=self.score[mask],
            y=self.y[mask],
            latency_us=self.latency_us[mask],
            columns={name: values[mask] for name, values in self.columns.items()},
            clipped={name: rows[mask] for name, rows in self.clipped.items()},
            output=self.output[mask] if len(self.output) else self.output,
            outcome_at=self.outcome_at[mask] if len(self.outcome_at) else self.outcome_at,
        )

    @property
    def known(self) -> Mask:
        """Rows whose outcome is known."""
        return ~np.isnan(self.y)


@dataclass(frozen=True)
class Paired:
    """Rows that two versions scored and whose outcome is known, in the order of event time; shape (n,)."""

    prediction_id: Array
    event_at: Instants
    y: Floats
    champion_score: Floats
    challenger_score: Floats

    def __len__(self) -> int:
        return len(self.y)


def matured(
    ground: Ground,
    endpoint: str,
    *,
    from_at: int,
    until_at: int,
    versions: Collection[int] | None = None,
    role: ReleaseRole | None = None,
    features: bool = True,
) -> Rows:
    """Rows with a known outcome and an event time in [from_at, until_at).

    Without `role` those that were answered (by champion or challenger); role 'shadow' are the shadow's scores, with
    the features of the prediction that was answered. `versions`: only these. Rows without a score are among them.
    """
    with ground.database.reading() as tx:
        shadow = role == "shadow"
        rows = load(tx, lake_of(ground), endpoint, from_at, until_at, shadow=shadow, features=features)
    wanted = rows.known
    if role is not None:
        wanted &= rows.role == role
    if versions is not None:
        wanted &= np.isin(rows.version, list(versions))
    return rows.where(wanted)


def paired(
    ground: Ground, endpoint: str, champion_version: int, challenger_version: int, from_at: int, until_at: int
) -> Paired:
    """Rows with an event time in [from_at, until_at) that both versions scored, answering or in the shadow."""
    with ground.database.reading() as tx:
        lake = lake_of(ground)
        parts = [load(tx, lake, endpoint, from_at, until_at, shadow=shadow, features=False) for shadow in (False, True)]
    sides = []
    for version in (champion_version, challenger_version):
        mine = [part.where((part.version == version) & ~np.isnan(part.score)) for part in parts]
        sides.append(mine[0] if len(mine[0]) >= len(mine[1]) else mine[1])
        if len(mine[0]) and len(mine[1]):
            sides[-1] = _together(mine)
    champion, challenger = sides
    place = _places(champion.prediction_id, challenger.prediction_id)
    both = (place >= 0) & champion.known
    return Paired(
        prediction_id=champion.prediction_id[both],
        event_at=champion.event_at[both],
        y=champion.y[both],
        champion_score=champion.score[both],
        challenger_score=challenger.score[place[both]],
    )


def load(
    tx: Transaction,
    lake: Lake,
    endpoint: str,
    from_at: int,
    until_at: int,
    *,
    shadow: bool = False,
    features: bool | Sequence[str] = True,
    outputs: bool = False,
) -> Rows:
    """Rows that were answered, or scored in the shadow, with an event time in [from_at, until_at), and their outcomes.

    `features`: all, none, or those named. `outputs`: also what was answered where it was not one number.
    """
    of_a_score = (*OF_A_SCORE, *(["output"] if outputs else []))
    names = None if features is True else [FEATURE_PREFIX + name for name in features or ()]
    files = lake_files.between(tx, endpoint, "predictions", from_at, until_at)
    if shadow:
        shadows = lake_files.between(tx, endpoint, "shadows", from_at, until_at)
        table = lake.read(shadows, columns=of_a_score, from_at=from_at, until_at=until_at)
        if features:
            columns = None if names is None else ["prediction_id", *names]
            answered = lake.read(files, columns=columns, from_at=from_at, until_at=until_at)
            table = _with_features(table, answered)
    else:
        columns = None if names is None else [*of_a_score, *names]
        table = lake.read(files, columns=columns, from_at=from_at, until_at=until_at)
    if table.num_rows == 0:
        return _no_rows()
    told = lake.read(
        lake_files.between(tx, endpoint, "outcomes", from_at, until_at),
        columns=["prediction_id", "value", "outcome_at"],
        from_at=from_at,
        until_at=until_at,
    )
    return _rows(table.sort_by("event_at"), told, outputs)


def is_binary(y: Floats) -> bool:
    """Whether outcomes, without the unknown ones, are all yes or no."""
    return bool(np.all((y == 0) | (y == 1)))


def _with_features(table: Table, answered: Table) -> Table:
    """Shadow scores with the features of the predictions of the same ids; null where there is none."""
    if table.num_rows == 0 or answered.num_rows == 0:
        return table
    import pyarrow.compute as pc

    place = pc.index_in(table.column("prediction_id"), value_set=answered.column("prediction_id").combine_chunks())
    for name in answered.column_names:
        if name.startswith(FEATURE_PREFIX):
            table = table.append_column(name, answered.column(name).take(place))
    return table


def _rows(table: Table, told: Table, outputs: bool) -> Rows:
    columns = {
        name.removeprefix(FEATURE_PREFIX): _array(table.column(name))
        for name in table.column_names
        if name.startswith(FEATURE_PREFIX)
    }
    score = _array(table.column("score")).astype(np.float64)
    y, outcome_at = _outcomes(table.column("prediction_id"), told)
    return Rows(
        prediction_id=_array(table.column("prediction_id")),
        event_at=instants(table.column("event_at")),
        model=_array(table.column("model")),
        version=_array(table.column("version")).astype(np.int64),
        role=_array(table.column("role")),
        score=score,
        y=y,
        latency_us=_array(table.column("latency_us").fill_null(NO_LATENCY)).astype(np.int64),
        columns=columns,
        clipped=_clipped(table),
        output=_output(table, score) if outputs else np.empty(0, dtype=object),
        outcome_at=outcome_at,
    )


def _output(table: Table, score: Floats) -> Array:
    """What was answered where it was not one number: most models answer one, and need no room for it."""
    import pyarrow.compute as pc

    unscored = np.isnan(score)
    if not unscored.any() or "output" not in table.column_names:
        return np.empty(0, dtype=object)
    return _array(pc.if_else(unscored, table.column("output"), None))


def _clipped(table: Table) -> dict[str, Mask]:
    """By feature, the rows in which it was clipped when they were admitted."""
    found: dict[str, Mask] = {}
    told = _array(table.column("clipped")) if "clipped" in table.column_names else np.empty(0, dtype=object)
    for row, sent in enumerate(told):
        for name in msgspec.json.decode(sent) if sent else ():
            found.setdefault(name, np.zeros(len(told), dtype=bool))[row] = True
    return found


def _outcomes(ids: Any, told: Table) -> tuple[Floats, Instants]:
    """What became of each, and when."""
    if told.num_rows == 0:
        return np.full(len(ids), np.nan), np.full(len(ids), NEVER)
    import pyarrow.compute as pc

    place = pc.index_in(ids, value_set=told.column("prediction_id").combine_chunks())
    values: Floats = told.column("value").take(place).to_numpy().astype(np.float64)
    at = told.column("outcome_at").cast("int64").take(place)
    return values, pc.fill_null(at, int(NEVER)).to_numpy().astype(np.int64)


def _array(column: Any) -> Array:
    array: Array = column.to_numpy()
    return array


def _places(ids: Array, among: Array) -> Instants:
    """Where each id stands among others; −1 where it does not."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not len(ids) or not len(among):
        return np.full(len(ids), -1, dtype=np.int64)
    place = pc.index_in(pa.array(ids, pa.string()), value_set=pa.array(among, pa.string()))
    places: Instants = place.fill_null(-1).to_numpy().astype(np.int64)
    return places


def _together(parts: Sequence[Rows]) -> Rows:
    """Rows without features of several parts, in the order of event time."""
    names = ("prediction_id", "event_at", "model", "version", "role", "score", "y", "latency_us")
    joined: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    order = np.argsort(joined["event_at"], kind="stable")
    return Rows(**{name: values[order] for name, values in joined.items()})


def _no_rows() -> Rows:
    text, numbers = np.empty(0, dtype=object), np.empty(0)
    whole = np.empty(0, dtype=np.int64)
    return Rows(text, whole, text, whole, text, numbers, numbers, whole)
