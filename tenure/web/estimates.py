"""What a page says of estimates: how good the latest windows are thought to be, and how such words fared before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tenure.monitor.estimate_records import record_of
from tenure.records.estimates import Estimate, EstimateRecord, Estimation
from tenure.records.windows import Interval, Window
from tenure.web.wording import count, date, percent

METRICS = {
    "roc_auc": ("AUC", "the chance that a yes is scored above a no"),
    "accuracy": ("Accuracy", "the share of rows that were said right"),
    "precision": ("Precision", "of what was said yes, the share that is"),
    "recall": ("Recall", "of what is yes, the share that was said so"),
    "f1": ("F1", "both in one"),
    "event_rate": ("Happens", "the share of rows that are yes"),
    "brier": ("Brier score", "mean squared error of the chances"),
    "log_loss": ("Log loss", "how surprised the chances will be"),
    "mae": ("Mean absolute error", "in the unit of the outcome"),
    "rmse": ("Root mean squared error", "in the unit of the outcome"),
}


def shown(windows: Sequence[Window]) -> dict[str, Any] | None:
    """What the panel needs: the latest window that was estimated, its rows and its reference; None when none was."""
    latest = next((one for one in reversed(windows) if one.estimated), None)
    if latest is None or latest.estimated is None:
        return None
    records = {one.metric: one for one in record_of(windows) if one.version == latest.version}
    told = {one.metric: one for one in latest.estimated.estimates}
    return {
        "window": latest,
        "told": latest.estimated,
        "basis": basis(latest.estimated),
        "rows": [_row(told[name], records.get(name)) for name in METRICS if name in told],
    }


def basis(told: Estimation) -> str:
    """What an estimate rests on, in a sentence.

    >>> basis(Estimation(method="calibrated", predictions=900, reference_rows=5000))
    'Learnt from the 5,000 outcomes of the baseline.'
    """
    if not told.reference_rows:
        return ""
    known = f"{count(told.reference_rows)} outcomes"
    if not told.reference_from_at:
        return f"Learnt from the {known} of the baseline."
    if told.effective_rows is None:
        return f"Learnt from {known} of earlier windows, since {date(told.reference_from_at)}."
    share = percent(told.effective_rows / told.reference_rows)
    return (
        f"Learnt from {known} of earlier windows, since {date(told.reference_from_at)}, weighted to look like this "
        f"window's rows: they count as {count(round(told.effective_rows))}, {share} of them."
    )


def fared(record: EstimateRecord | None) -> str:
    """
    >>> fared(EstimateRecord(version=1, metric="f1", checked=12, held=11, mean_error=0.01, refuted=False))
    'of 12 estimates that could be checked, 11 held the truth within their interval; off by 0.010 on average'
    """
    if record is None:
        return "none could be checked yet"
    noun = "estimate" if record.checked == 1 else "estimates"
    return (
        f"of {record.checked} {noun} that could be checked, {record.held} held the truth within their interval; "
        f"off by {record.mean_error:.3f} on average"
    )


def _row(one: Estimate, record: EstimateRecord | None) -> dict[str, Any]:
    return {
        "name": METRICS[one.metric][0],
        "meaning": METRICS[one.metric][1],
        "reason": one.reason,
        "estimate": Interval(value=one.value, low=one.low, high=one.high, confidence=one.confidence),
        "truth": one.truth,
        "held": one.held,
        "record": fared(record),
    }
