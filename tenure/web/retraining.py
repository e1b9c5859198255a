"""One retraining run: what set it off, every step it took, and its dossier."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, get

from tenure.access import RETRAINING
from tenure.errors import NotFound
from tenure.manage import evidence
from tenure.records.people import Permission, Principal
from tenure.records.retraining import Dossier
from tenure.store import changes, retraining_runs
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.page import show

CHAPTERS = {
    "accuracy_assessment": "Accuracy assessment",
    "updates_and_explainability": "Updates and explainability",
    "diagnostics": "Diagnostics",
    "versioning_approval_and_audit": "Versioning, approval and audit",
}
OPENING = "what_this_is"


@get(
    "/retraining/{retraining_id:str}",
    permission=Permission.READ,
    subject=RETRAINING,
    sync_to_thread=True,
    include_in_schema=False,
)
def page(ground: Ground, principal: Principal, retraining_id: str) -> Response[str]:
    def load(tx: Transaction) -> dict[str, Any]:
        run = retraining_runs.get(tx, retraining_id)
        if run is None:
            raise NotFound(f"There is no retraining run {retraining_id!r}.")
        asked = changes.search(tx, model=run.model, version=run.challenger_version) if run.challenger_version else []
        return {
            "run": run,
            "chapters": _chapters(run.dossier) if run.dossier else [],
            "changes": [stored.change for stored in asked],
            "signed": evidence.blocks(tx, run.model, run.challenger_version) if run.challenger_version else [],
        }

    return show(ground, principal, "retraining.html", load, current="models")


def _chapters(dossier: Dossier) -> list[dict[str, Any]]:
    """Each chapter with its opening sentence first and its figures as plain values."""
    told = msgspec.to_builtins(dossier)
    return [
        {
            "name": name,
            "title": title,
            "opening": told[name].get(OPENING, ""),
            "body": {key: value for key, value in told[name].items() if key != OPENING},
        }
        for name, title in CHAPTERS.items()
    ]


handlers = [page]
