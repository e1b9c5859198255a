"""What a report about drift says to the monitors, beyond drift from training: other references, schema, missing values,
all columns together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from tenure.monitor import column_drift, drifting
from tenure.monitor.alerts import Finding
from tenure.monitor.drift_words import REFERENCES
from tenure.monitor.subjects import TOGETHER, about
from tenure.records.alerts import Evidence
from tenure.records.drift import ColumnDrift, Comparison, DriftReport, Together
from tenure.records.span_words import span
from tenure.stats.novelty import SELDOM


def findings_of(report: DriftReport) -> list[Finding]:
    """Breaches and what is in order, of what could be told."""
    found = [
        _drift(report, comparison, column)
        for comparison in report.comparisons
        for column in comparison.columns
        if column.state != "not_enough_data" and comparison.against != "training"
    ]
    return [*found, *_schema(report), *_missing(report), *(_together(report, one) for one in report.together)]


def with_names(findings: Iterable[Finding], report: DriftReport) -> Iterator[Finding]:
    """The same findings; one about new levels says which they are."""
    unseen = {one.column: one for one in report.unseen if one.what == "new_levels"}
    for finding in findings:
        known = unseen.get(finding.subject)
        if known and finding.evidence.measure == "new_level_share":
            names = ", ".join(f"{one.level[:40]!r} ({one.count:,})" for one in known.names[:5])
            yield msgspec.structs.replace(finding, message=f"{finding.message} Most frequent: {names}.")
        else:
            yield finding


def _drift(report: DriftReport, comparison: Comparison, column: ColumnDrift) -> Finding:
    psi = column.value_of("psi")
    assert psi is not None
    breach = column.state == "breach"
    said = "has drifted" if breach else "has not drifted"
    excess = drifting.excess(column, report.floor)
    message = (
        f"Column {column.column!r} of endpoint {report.endpoint!r} {said} from {REFERENCES[comparison.against]} "
        f"({span(comparison.reference_from_at, comparison.reference_until_at)}): {column.words} PSI {psi.value:.3f}, "
        f"{excess:.3f} above what sampling gives (floor {report.floor:g}), q = {psi.q_value or 0:.2g} at level "
        f"{report.level:.2g}, on {psi.n_current:,} rows {span(report.start_at, report.end_at)}."
    )
    evidence = _evidence(
        report,
        measure="psi_excess",
        value=excess,
        threshold=report.floor,
        p_value=psi.p_value,
        n_baseline=psi.n_reference,
        n_window=psi.n_current,
    )
    subject = about(column.column, "previous window" if comparison.against == "previous" else "same season")
    return _finding("drift", subject, breach, message, evidence)


def _schema(report: DriftReport) -> Iterator[Finding]:
    """A finding for every column that training had, so that an alert is resolved when the column is back."""
    wrong = {one.column: one for one in report.schema if one.problem != "extra"}
    training = next((one for one in report.comparisons if one.columns), None)
    columns = [one.column for one in training.columns] if training else list(wrong)
    for name in dict.fromkeys([*columns, *wrong]):
        if (name == drifting.DECISION or column_drift.is_of_answers(name)) and name not in wrong:
            continue
        breach = wrong.get(name)
        message = (
            breach.words if breach else f"Column {name!r} of endpoint {report.endpoint!r} is as it was at training."
        )
        evidence = _evidence(report, measure="schema", value=float(breach is not None), threshold=0.0)
        evidence = msgspec.structs.replace(evidence, n_window=report.rows)
        yield _finding("data_quality", about(name, "schema"), breach is not None, message, evidence)


def _missing(report: DriftReport) -> Iterator[Finding]:
    """Values that are missing much more often than in the first reference that is known; a missing column is not told
    twice."""
    gone = {one.column for one in report.schema if one.problem == "missing"}
    comparison = next((one for one in report.comparisons if one.columns), None)
    for column in comparison.columns if comparison else []:
        line = column.value_of("null_share")
        if line is None or line.q_value is None or column.column in gone or column.state == "not_enough_data":
            continue
        before = column.reference_null_share
        breach = line.q_value < report.level and line.value > before + SELDOM
        message = (
            f"Column {column.column!r} of endpoint {report.endpoint!r} is missing in {line.value:.1%} of "
            f"{line.n_current:,} rows {span(report.start_at, report.end_at)}, {before:.1%} before (q = "
            f"{line.q_value:.2g} at level {report.level:.2g})."
        )
        evidence = _evidence(
            report,
            measure="null_share",
            value=line.value,
            threshold=before + SELDOM,
            p_value=line.p_value,
            n_baseline=line.n_reference,
            n_window=line.n_current,
        )
        yield _finding("data_quality", about(column.column, "missing"), breach, message, evidence)


def _together(report: DriftReport, test: Together) -> Finding:
    evidence = _evidence(
        report,
        measure="auc" if test.name == "domain_classifier" else "error_ratio",
        value=test.value,
        threshold=test.threshold,
        p_value=test.p_value,
        n_baseline=test.n_reference,
        n_window=test.n_current,
    )
    low = test.name == "reconstruction" and test.value < 1
    evidence = msgspec.structs.replace(evidence, level=test.level, direction="below" if low else "above")
    message = f"Endpoint {report.endpoint!r}, {span(report.start_at, report.end_at)}: {test.words}"
    how = "classifier" if test.name == "domain_classifier" else "components"
    return _finding("drift", f"{TOGETHER} ({how})", test.state == "breach", message, evidence)


def _finding(monitor: str, subject: str, breach: bool, message: str, evidence: Evidence) -> Finding:
    return Finding(
        monitor=monitor,  # type: ignore[arg-type]  # a MonitorKind
        subject=subject,
        breach=breach,
        provisional=False,
        message=message,
        evidence=evidence,
    )


def _evidence(report: DriftReport, **figures: object) -> Evidence:
    about = {
        "direction": "above",
        "level": report.level,
        "window_start_at": report.start_at,
        "window_end_at": report.end_at,
        "version": report.version,
    }
    return msgspec.convert({**about, **figures}, Evidence)
