"""The dossier of a retraining: four chapters, under the names that people look for."""

from __future__ import annotations

from typing import Any

import msgspec

from tenure.build import model_versions
from tenure.manage import changes
from tenure.records.base import iso
from tenure.records.changes import Change
from tenure.records.retraining import Comparison, Dossier, RetrainingRun, Trained
from tenure.retrain import runs
from tenure.store import audit
from tenure.store.database import Transaction

MANY_EVENTS = 200


def write(trained: Trained, trial: Comparison | None) -> Dossier:
    """The chapters that training and trial can fill."""
    return Dossier(
        accuracy_assessment=_accuracy(trained, trial),
        updates_and_explainability=_updates(trained),
        diagnostics=_diagnostics(trained, trial),
        versioning_approval_and_audit={"what_this_is": VERSIONING},
    )


def close(tx: Transaction, dossier: Dossier, run: RetrainingRun, trained: Trained) -> Dossier:
    """The dossier with its last chapter as the records stand: digests, approvals, and every audit event of the run."""
    champion = model_versions.get(tx, run.model, run.champion_version)
    challenger = model_versions.get(tx, run.model, trained.version)
    change_id = runs.figure(run, "approved", "change_id") or runs.figure(run, "review", "change_id")
    events = audit.search(tx, subject=run.retraining_id, limit=MANY_EVENTS)
    chapter = {
        "what_this_is": VERSIONING,
        "outcome": run.state,
        "retraining_id": run.retraining_id,
        "champion": {"version": champion.version, "digest": champion.digest, "run_id": champion.run_id},
        "challenger": {
            "version": challenger.version,
            "digest": challenger.digest,
            "run_id": challenger.run_id,
            "state": challenger.state,
        },
        "approval": _approval(changes.get(tx, str(change_id))) if change_id else None,
        "recipe": trained.recipe,
        "packages": trained.packages,
        "audit_sequences": sorted(event.sequence for event in events),
    }
    return msgspec.structs.replace(dossier, versioning_approval_and_audit=chapter)


ACCURACY = (
    "This chapter says whether the new version predicts better than the one in place. Look at the difference and its "
    "interval: above zero means better; an interval that holds zero means that it was not proven."
)
UPDATES = (
    "This chapter says what changed between the two versions: the data they learned from, and which columns matter "
    "now. Look at the columns that moved farthest and at those that matter most; one in both lists explains much."
)
DIAGNOSTICS = (
    "This chapter says where the new version could still go wrong. Look at calibration, where the mean score and the "
    "event rate of each row should be close, and at segments in which the champion was better."
)
VERSIONING = (
    "This chapter says which exact files were compared, who approved them, and where each step stands in the audit "
    "log. Look at the digests and the signatures; `tenure audit verify` shows that the log was not changed since."
)


def _accuracy(trained: Trained, trial: Comparison | None) -> dict[str, Any]:
    return {
        "what_this_is": ACCURACY,
        "holdout": {
            "from_at": trained.split_at,
            "until_at": trained.until_at,
            "rows": trained.holdout_rows,
            "events": trained.holdout_events,
            "champion_roc_auc": msgspec.to_builtins(trained.champion_roc_auc),
            "challenger_roc_auc": msgspec.to_builtins(trained.challenger_roc_auc),
            "roc_auc_difference": msgspec.to_builtins(trained.roc_auc_difference),
            "champion_brier": trained.champion_brier,
            "challenger_brier": trained.challenger_brier,
        },
        "trial": msgspec.to_builtins(trial) if trial else None,
    }


def _updates(trained: Trained) -> dict[str, Any]:
    return {
        "what_this_is": UPDATES,
        "training_data": {
            "from_at": trained.from_at,
            "until_at": trained.split_at,
            "rows": trained.training_rows,
            "events": trained.training_events,
        },
        "variables": "the same as the champion's: the version was trained under the champion's own signature",
        "shift_of_columns": msgspec.to_builtins(trained.shift),
        "importances": trained.importances,
    }


def _diagnostics(trained: Trained, trial: Comparison | None) -> dict[str, Any]:
    return {
        "what_this_is": DIAGNOSTICS,
        "calibration": msgspec.to_builtins(trained.calibration),
        "segments": msgspec.to_builtins(trained.segments),
        "score_psi": trial.score_psi if trial else None,
        "speed": {"fit_seconds": trained.fit_seconds, "predict_us_per_row": trained.predict_us_per_row},
    }


def _approval(change: Change) -> dict[str, Any]:
    return {
        "change_id": change.change_id,
        "state": change.state,
        "because": change.ended_because,
        "approved_under": change.approved_under,
        "subject": msgspec.to_builtins(change.subject),
        "signatures": [
            {
                "printed_name": one.printed_name,
                "person": one.person,
                "role": one.role,
                "meaning": one.meaning,
                "reason": one.reason,
                "signed_at": iso(one.signed_at),
                "reauthenticated_by": one.reauthenticated_by,
            }
            for one in change.signatures
            if not one.voided
        ],
    }
