"""Predictions of models that Tenure does not serve."""

from __future__ import annotations

from tenure.records.base import Record


class PredictionsAccepted(Record):
    """`accepted` rows are on disk, as answers of this version; those that are there already change nothing."""

    accepted: int
    version: int
