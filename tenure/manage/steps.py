"""Which signatures a change needs: the steps that the model's file asks for, by the kind of change."""

from __future__ import annotations

from tenure.errors import Conflict, InvalidInput
from tenure.manage import eligibility
from tenure.records.changes import Move, NewChange, StepAsked, Target
from tenure.records.model_files import AppliedFile, Approval, ModelFile, Step
from tenure.store import endpoints, model_files, people
from tenure.store.database import Transaction

PLACES: dict[Move, str] = {"promote": "model", "deploy": "endpoint"}


def governed_file(tx: Transaction, model: str) -> AppliedFile:
    """The file of a model under governance. Raises Conflict for another model."""
    applied = model_files.current(tx, model)
    if applied is None or applied.file.approval is None:
        raise Conflict(
            f"{model!r} is not under governance, so there is nobody to sign. Declare `approval` with its steps in the "
            "model's file and apply it with `tenure apply model.yaml`."
        )
    return applied


def target_of(tx: Transaction, new: NewChange) -> Target | None:
    """Where a change puts its version; None for kinds that put it nowhere. Raises InvalidInput for what cannot be."""
    if new.kind not in PLACES:
        if new.target is not None:
            raise InvalidInput(f"A change of kind {new.kind!r} has no target. Leave it out.", where="target")
        return None
    target = new.target or Target()
    if new.kind == "promote" and (target.endpoint or target.to == "shadow"):
        raise InvalidInput(
            "A promotion makes a version champion or challenger at every endpoint of its model. "
            "Ask for a change of kind 'deploy' for one endpoint or a shadow.",
            where="target",
        )
    if new.kind == "deploy":
        found = endpoints.get(tx, target.endpoint)
        if found is None or found.model != new.model:
            raise InvalidInput(
                f"The target's endpoint must be one of {new.model!r}. Got {target.endpoint!r}.", where="target.endpoint"
            )
    return target


def asked(tx: Transaction, kind: Move, target: Target | None, file: ModelFile) -> list[StepAsked]:
    """The steps that a change of this kind needs; none when the approval allows it.

    To suspend or retire, one signature of any role that approves. A shadow answers nobody and needs none. Raises
    Conflict when fewer people hold a role than the file wants to choose from.
    """
    declared = _declared(kind, target, file)
    return [_step(tx, step, file.model) for step in declared] if declared is not None else [_any_approver(file)]


def of_approval(tx: Transaction, approval: Approval | None, model: str) -> list[StepAsked]:
    """The steps of one part of a file that is signed by; none where it is not declared.

    Raises Conflict when fewer people hold a role than the file wants to choose from.
    """
    return [_step(tx, step, model) for step in approval.steps] if approval else []


def _declared(kind: Move, target: Target | None, file: ModelFile) -> list[Step] | None:
    """As declared for this kind; None for one signature of any role that approves."""
    beside: dict[Move, Approval | None] = {
        "register": file.registration,
        "approve": file.approval,
        "deploy": file.deployment,
        "promote": file.promotion,
    }
    if kind == "register" and file.registration is None:
        raise InvalidInput(
            f"The file of {file.model!r} asks for no signed registration. Declare `registration` with its steps, or "
            "ask for approval.",
            where="kind",
        )
    if kind not in beside:
        return None
    found = beside[kind]
    return [] if found is None or (target is not None and target.to == "shadow") else found.steps


def _step(tx: Transaction, step: Step, model: str) -> StepAsked:
    if step.of is not None and not step.people:
        holders = [one.name for one in people.list_all(tx) if eligibility.held_since(one, step.role, model) is not None]
        if len(holders) < step.of:
            raise Conflict(
                f"The step {step.role!r} is {step.signatures} of {step.of}, and only {len(holders)} hold the role. "
                "Give it to more people first."
            )
    return StepAsked(roles=[step.role], signatures=step.signatures, people=step.people)


def _any_approver(file: ModelFile) -> StepAsked:
    assert file.approval is not None
    return StepAsked(roles=list(dict.fromkeys(step.role for step in file.approval.steps)), signatures=1)
