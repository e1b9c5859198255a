"""When there is something new to look at: a trigger is evaluated, and a trial's standing read, once for each time that
windows were judged, not at every tick of the worker."""

from __future__ import annotations

from tenure.store import settings_kept, windows
from tenure.store.database import Transaction


def news(tx: Transaction, endpoint: str, about: str) -> str | None:
    """A mark of what has been judged so far, when that is more than at the last look `about` this; else None."""
    judged_at = windows.last_judged_at(tx, endpoint)
    mark = f"{about}:{judged_at}"
    return None if judged_at is None or mark == settings_kept.get(tx, _key(endpoint)) else mark


def remember(tx: Transaction, endpoint: str, mark: str) -> None:
    """Keep a mark that `news` gave: what it stands for has been looked at."""
    settings_kept.put(tx, _key(endpoint), mark)


def _key(endpoint: str) -> str:
    return f"retraining_looked:{endpoint}"
