"""What the rules keep from being done through the side door: MLflow's own routes, for models under governance."""

from __future__ import annotations

from tenure.build import sources
from tenure.errors import InvalidInput, NotAllowed
from tenure.manage import gates, published
from tenure.records.base import Instant
from tenure.store import model_files, prompts
from tenure.store.database import Transaction

GUARDED_ALIASES = ("champion", "challenger")
_FORBIDDEN = {
    "rename": "keeps its name, since its file, cards and approvals stand under it",
    "delete": "is not deleted; retire its versions instead",
    "delete_model": "is not deleted; retire its versions instead",
    "delete_version": "keeps its versions; retire the version instead",
}


def is_governed(tx: Transaction, model: str) -> bool:
    """Whether a model is under governance: its file declares `approval`."""
    applied = model_files.current(tx, model)
    return applied is not None and applied.file.approval is not None


def check_registry_write(tx: Transaction, action: str, name: str, version: int | None = None) -> None:
    """Refuse what MLflow's registry allows and governance does not.

    Actions: `rename`, `delete_model`, `delete_version`; others, such as a stage (a label without effect), pass.
    Models that are not under governance pass. Raises NotAllowed with what to do instead.
    """
    why = _FORBIDDEN.get(action)
    if why is None or not is_governed(tx, name):
        return
    about = f"Version {version} of {name!r}: the model" if version is not None else repr(name)
    raise NotAllowed(f"{about} is under governance and {why} (POST /api/v1/changes with kind 'retire').")


def check_source(tx: Transaction, name: str, location: str) -> None:
    """Refuse a version of a governed model whose source is a mere note: there is nothing that could be approved."""
    if sources.is_elsewhere(location) and is_governed(tx, name):
        raise NotAllowed(
            f"{name!r} is under governance: a version of it must name files, such as models:/m-<id>. Got "
            f"{location[:200]!r}, which names nothing on this server."
        )


def check_model_tag(tx: Transaction, name: str, key: str | None) -> None:
    """Refuse the mark that would hide a governed model among the prompts."""
    if key == prompts.MARK and is_governed(tx, name):
        raise NotAllowed(f"{name!r} is under governance and is no prompt: it does not take the tag {key!r}.")


def check_new_name(tx: Transaction, name: str) -> None:
    """Refuse to rename a model to a name for which a file was applied: it would come under that file with its past."""
    if model_files.current(tx, name) is not None:
        raise NotAllowed(
            f"A model's file was applied for {name!r}: a model of that name is created, not renamed to it. "
            "Choose another name."
        )


def check_alias(tx: Transaction, name: str, alias: str, version: int, *, now: Instant) -> None:
    """Refuse `champion` and `challenger` for a version of a governed model that may not be released."""
    if alias in GUARDED_ALIASES:
        check_release(tx, name, version, now=now)


def check_release(tx: Transaction, model: str, version: int, *, now: Instant) -> None:
    """Raise GateNotMet, with every rule that failed, unless a version may be released.

    For a governed model it must be approved, be what was approved, and use no feature that is known too late or
    forbidden by the model's file and the policies as they stand now. What it was decided on is stored. A model that is
    not under governance passes.
    """
    if is_governed(tx, model):
        evaluation = gates.evaluate(tx, "deploy", model, version, now=now)
        gates.require(evaluation.rules, f"Version {version} of {model!r} may not be released")
        gates.keep(tx, evaluation)


def check_registered(tx: Transaction, model: str, version: int, *, now: Instant) -> None:
    """Refuse a version that was registered in this transaction, so that nothing of it is stored, when a published rule
    for the gate `register` says no. Without such a rule, and for a model that is not under governance, it passes.
    """
    if not is_governed(tx, model) or not published.for_model(tx, model, now).rules("register"):
        return
    evaluation = gates.evaluate(tx, "register", model, version, now=now)
    failed = [one.explanation for one in evaluation.rules if one.stops]
    if failed:
        raise InvalidInput(f"This version of {model!r} is not registered: {' '.join(failed)}")
    gates.keep(tx, evaluation)
