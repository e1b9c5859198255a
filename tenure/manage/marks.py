"""What a column means and where it comes from, followed back through all that it is derived from.

A mark (a semantic type or a source) follows lineage: a column computed from one that means `race` means it too,
whatever its name, and so does one that is the score of another model which takes such a column. Pure: files in, marks
out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tenure.errors import InvalidInput
from tenure.records.model_files import ModelFile

MODEL_PREFIX = "model:"
MOST_STEPS_BACK = 200


class Known(NamedTuple):
    """A model as far as marks are concerned: its file, and the columns that its versions in use take."""

    file: ModelFile | None
    inputs: tuple[str, ...]


class Marks(NamedTuple):
    """`reached`: every (model, column) on the way back, itself among them. `problem` says where the way ends; then
    nobody knows what else the column means."""

    semantics: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    reached: frozenset[tuple[str, str]] = frozenset()
    problem: str = ""

    def joined(self, other: Marks) -> Marks:
        return Marks(
            self.semantics | other.semantics,
            self.sources | other.sources,
            self.models | other.models,
            self.reached | other.reached,
            self.problem or other.problem,
        )


def of_columns(model: str, known: Mapping[str, Known]) -> dict[str, Marks]:
    """The marks of every column that a model's file declares. `known` holds that model and those it leads back to."""
    file = known[model].file
    tracer = _Tracer(known)
    return {column: tracer.column(model, column, ()) for column in (file.features if file else {})}


def models_of(file: ModelFile | None) -> list[str]:
    """The models whose scores a file's columns are derived from, at first hand."""
    named = (name for feature in (file.features if file else {}).values() for name in feature.derived_from)
    return sorted({name.removeprefix(MODEL_PREFIX) for name in named if name.startswith(MODEL_PREFIX)})


def check(file: ModelFile) -> None:
    """Raise InvalidInput, with the path, when a file's own columns lead back in a circle or to one that is not there.

    Other models are looked up at the gates, since they come and go.
    """
    alone = {
        file.model: Known(file, ()),
        **{name: Known(ModelFile(model=name, purpose="-", owner="-"), ()) for name in models_of(file)},
    }
    if file.model in models_of(file):
        raise InvalidInput(
            f"A feature of {file.model!r} cannot be derived from the score of {file.model!r} itself.",
            where="features",
        )
    for column, marks in of_columns(file.model, alone).items():
        if marks.problem:
            raise InvalidInput(marks.problem, where=f"features.{column}.derived_from")


class _Tracer:
    """Walks back depth first and keeps what it has found, so that each column is walked once."""

    def __init__(self, known: Mapping[str, Known]) -> None:
        self.known = known
        self.found: dict[tuple[str, str], Marks] = {}

    def column(self, model: str, column: str, way: tuple[tuple[str, str], ...]) -> Marks:
        place = (model, column)
        if place in way:
            circle = [*way[way.index(place) :], place]
            return Marks(problem=f"Feature {column!r} is derived from itself: {_told(circle, model)}.")
        if len(way) > MOST_STEPS_BACK:
            return Marks(problem=f"Feature {column!r} is derived over more than {MOST_STEPS_BACK} steps.")
        if place not in self.found:
            self.found[place] = self._column(model, column, (*way, place))
        return self.found[place]

    def _column(self, model: str, column: str, way: tuple[tuple[str, str], ...]) -> Marks:
        file = self.known[model].file
        assert file is not None
        feature = file.features.get(column)
        if feature is None:
            told = f" Feature {way[-2][1]!r} is derived from it." if len(way) > 1 else ""
            return Marks(
                problem=f"The file of {model!r} does not declare {column!r}, so nobody knows what it means.{told}"
            )
        marks = Marks(
            frozenset({feature.semantic} - {None}),  # type: ignore[arg-type]
            frozenset({feature.source} - {None}),  # type: ignore[arg-type]
            reached=frozenset({(model, column)}),
        )
        for name in feature.derived_from:
            if name.startswith(MODEL_PREFIX):
                marks = marks.joined(self.score_of(name.removeprefix(MODEL_PREFIX), column, way))
            else:
                marks = marks.joined(self.column(model, name, way))
        return marks

    def score_of(self, model: str, column: str, way: tuple[tuple[str, str], ...]) -> Marks:
        """What a model's score carries: the marks of every column that its versions in use take."""
        known = self.known.get(model)
        marks = Marks(models=frozenset({model}))
        if known is None or known.file is None:
            return marks._replace(
                problem=f"Feature {column!r} is the score of the model {model!r}, which has no file here. Apply one."
            )
        for name in known.inputs:
            marks = marks.joined(self.column(model, name, way))
        return marks


def _told(circle: list[tuple[str, str]], model: str) -> str:
    return " ← ".join(column if owner == model else f"{column} of {owner}" for owner, column in circle)
