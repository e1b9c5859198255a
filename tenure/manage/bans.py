"""Which features are forbidden: by the model's file and by policies, for what they mean or are derived from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from tenure.manage import cel
from tenure.manage.in_force import InForce, meet
from tenure.manage.marks import Known, Marks
from tenure.records.facts import Facts, FeatureFact
from tenure.records.model_files import Feature, ModelFile
from tenure.records.policies import Ban, PublishedPolicy


class Column(NamedTuple):
    name: str
    type: str


class _Reason(NamedTuple):
    """Why a feature is forbidden. `mark` is what an exception would have to name; empty when none can be made."""

    mark: str
    text: str


def judge(
    columns: Sequence[Column],
    file: ModelFile | None,
    marks: Mapping[str, Marks],
    known: Mapping[str, Known],
    force: InForce,
    bans: Sequence[tuple[PublishedPolicy, Ban]],
) -> list[FeatureFact]:
    """Every input column as a fact, with whether it is forbidden and why.

    A ban of the file goes by semantic type: a column that means the same, or is derived from one, is forbidden too.
    """
    declared = file.features if file else {}
    judge = _Judge(_banned(declared.values(), force), known, force, bans)
    return [_fact(column, declared.get(column.name), marks.get(column.name), judge) for column in columns]


def unconditional(force: InForce) -> list[tuple[PublishedPolicy, Ban]]:
    """The bans in force that have no condition."""
    return [(policy, ban) for policy, ban in force.bans() if ban.condition is None]


def counting(force: InForce, found: Facts) -> list[tuple[PublishedPolicy, Ban]]:
    """The bans in force whose condition is true of a version. One that cannot be answered counts as true."""
    bans = force.bans()
    asked = cel.Asked(msgspec.to_builtins(found))
    return [(policy, ban) for policy, ban in bans if not ban.condition or _is_true(asked.ask(ban.condition))]


def _is_true(answer: cel.Answer) -> bool:
    return answer.held or bool(answer.problem)


def _banned(features: Iterable[Feature], force: InForce) -> list[tuple[Feature, str]]:
    """The features of a file that it forbids where and for what the model is used, each with why."""
    return [(feature, because) for feature in features if (because := _ban(feature, force))]


def _ban(feature: Feature, force: InForce) -> str:
    """Why a feature is forbidden where and for what the model is used; empty when it is not."""
    ban, about = feature.forbidden, force.about
    if ban is None:
        return ""
    return ban.reason if meet(ban.within, about.jurisdictions) and meet(ban.purposes, about.purposes) else ""


class _Judge(NamedTuple):
    """`banned`: what the model's own file forbids, with why."""

    banned: Sequence[tuple[Feature, str]]
    known: Mapping[str, Known]
    force: InForce
    bans: Sequence[tuple[PublishedPolicy, Ban]]

    def reasons(self, marks: Marks) -> list[_Reason]:
        found = [*self._by_file(marks), *self._by_policy(marks)]
        return list(dict.fromkeys(found))

    def _by_file(self, marks: Marks) -> list[_Reason]:
        """Bans of the own file by meaning, and of any file on the way back by column."""
        by_meaning = [
            _Reason(f"semantic:{feature.semantic}", because)
            for feature, because in self.banned
            if feature.semantic in marks.semantics
        ]
        by_column = []
        for model, column in sorted(marks.reached):
            file = self.known[model].file
            if file and column in file.protected:
                by_column.append(_Reason("", f"{column!r} is protected, and for tests of fairness alone"))
            feature = file.features.get(column) if file else None
            if feature is not None and (because := _ban(feature, self.force)):
                by_column.append(_Reason(f"semantic:{feature.semantic}" if feature.semantic else "", because))
        return [*by_meaning, *by_column]

    def _by_policy(self, marks: Marks) -> list[_Reason]:
        return [
            _Reason(ban.mark, f"{ban.reason} ({policy.title})")
            for policy, ban in self.bans
            if ban.semantic in marks.semantics or ban.source in marks.sources
        ]


def _fact(column: Column, feature: Feature | None, marks: Marks | None, judge: _Judge) -> FeatureFact:
    known = marks is not None and not marks.problem
    reasons = judge.reasons(marks) if marks is not None else []
    excepted = {one.mark: judge.force.exception(one.mark) for one in reasons if one.mark}
    standing = [one for one in reasons if excepted.get(one.mark) is None]
    because = "; ".join(dict.fromkeys(_said(one, column, feature) for one in standing))
    if not because and marks is not None:
        because = marks.problem
    return FeatureFact(
        name=column.name,
        type=column.type,
        declared=feature is not None,
        available=feature.available if feature else None,
        kind=feature.kind if feature else None,
        semantic=feature.semantic if feature else None,
        source=feature.source if feature else None,
        forbidden=True if standing else False if known else None,
        forbidden_because=because,
        derived_from=feature.derived_from if feature else None,
        semantics=sorted(marks.semantics) if known and marks else None,
        sources=sorted(marks.sources) if known and marks else None,
        scores_of=sorted(marks.models) if known and marks else None,
        excepted_by=sorted({one.exception_id for one in excepted.values() if one is not None}),
    )


def _said(reason: _Reason, column: Column, feature: Feature | None) -> str:
    """The reason, and of a mark that the column does not carry itself, that it is derived from one that does."""
    kind, _, value = reason.mark.partition(":")
    own = feature is not None and value in (feature.semantic if kind == "semantic" else feature.source, "")
    if own or not reason.mark:
        return reason.text
    return f"{reason.text}, which reaches {column.name!r} through what it is derived from ({reason.mark})"
