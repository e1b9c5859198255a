"""What a trial's one look leads to: the challenger is rejected, promoted within what people signed for, or laid before
them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tenure.errors import GateNotMet
from tenure.manage import changes, envelopes, guards
from tenure.records.base import Instant
from tenure.records.changes import Change, NewChange
from tenure.records.facts import BytesChecked
from tenure.records.model_files import Retraining
from tenure.records.retraining import Comparison, RetrainingRun
from tenure.retrain import dossier, endings, runs
from tenure.store.database import Transaction


def act_on(
    tx: Transaction,
    run: RetrainingRun,
    policy: Retraining,
    comparison: Comparison,
    *,
    checked: BytesChecked,
    public_pems: Sequence[str],
    now: Instant,
) -> None:
    """Write what the trial showed, and take the one way that it leaves open."""
    figures: runs.Figures = {
        "rows": comparison.rows,
        "roc_auc_difference": comparison.roc_auc_difference.value,
        "low": comparison.roc_auc_difference.low,
        "high": comparison.roc_auc_difference.high,
        "brier_difference": comparison.brier_difference.value,
        "score_psi": comparison.score_psi,
    }
    trained = runs.trained(tx, run)
    papers = dossier.write(trained, comparison) if trained else None
    said = " ".join(comparison.reasons)
    run = runs.take(tx, run, "compared", said, to="shadow", now=now, figures=figures, dossier=papers)
    if not comparison.accepted:
        endings.reject(tx, run, said, now)
    elif guards.is_governed(tx, run.model):
        _seek_approval(tx, run, policy, comparison, checked=checked, public_pems=public_pems, now=now)
    elif policy.then == "promote":
        endings.promote(tx, run, said, now)
    else:
        detail = f"The model's file says `then: propose`: promote version {run.challenger_version}, or another."
        runs.take(tx, run, "review", detail, to="review", now=now)


def _seek_approval(
    tx: Transaction,
    run: RetrainingRun,
    policy: Retraining,
    comparison: Comparison,
    *,
    checked: BytesChecked,
    public_pems: Sequence[str],
    now: Instant,
) -> None:
    """Open the change request; approve it under the envelope when one covers it, else wait for people."""
    assert run.challenger_version is not None
    reason = f"Retraining {run.retraining_id}: {comparison.reasons[0]}"
    new = NewChange(kind="approve", model=run.model, version=run.challenger_version, reason=reason)
    try:
        change = changes.open_change(tx, new, by=runs.BY, now=now, checked=checked)
    except GateNotMet as refusal:
        endings.fail(tx, run, f"Approval cannot be asked for: {' '.join(refusal.failures)}", now)
        return
    evidence = {"retraining": run.retraining_id, **msgspec.to_builtins(comparison)}
    verdict = envelopes.covers_change(tx, change, evidence, now=now, public_pems=public_pems)
    if policy.then == "propose":
        _await_people(tx, run, change, "the model's file says `then: propose`", now)
    elif not verdict.covered:
        _await_people(tx, run, change, f"the envelope does not cover it, since {verdict.because}", now)
    else:
        changes.approve_under_envelope(
            tx, change.change_id, by=runs.BY, now=now, evidence=evidence, public_pems=public_pems
        )
        detail = f"Approved inside the envelope signed with change {verdict.change_id}, until {verdict.expires}."
        figures: runs.Figures = {"change_id": change.change_id, "envelope": verdict.change_id}
        run = runs.take(tx, run, "approved", detail, to="review", now=now, figures=figures)
        endings.promote(tx, run, detail, now)


def _await_people(tx: Transaction, run: RetrainingRun, change: Change, because: str, now: Instant) -> None:
    detail = f"Change request {change.change_id} waits for its signatures: {because}."
    runs.take(tx, run, "review", detail, to="review", now=now, figures={"change_id": change.change_id})
