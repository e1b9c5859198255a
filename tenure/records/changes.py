"""Change requests, gates and electronic signatures."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from tenure.records.base import Record

ChangeKind = Literal["approve", "promote", "suspend", "retire"]
ChangeState = Literal["open", "approved", "rejected", "invalidated", "withdrawn"]
VersionState = Literal["registered", "in_review", "approved", "suspended", "retired", "rejected"]
Reason = Annotated[str, Meta(min_length=3, max_length=2000)]


class RuleResult(Record):
    """One rule of a policy at a gate: its expression, whether it held, and otherwise what would satisfy it."""

    rule: str
    expression: str
    passed: bool
    explanation: str


class GateEvaluation(Record):
    evaluation_id: str
    gate: str
    model: str
    version: int
    policy_version: str
    engine: str
    facts: dict[str, Any]
    facts_digest: str
    rules: list[RuleResult]
    passed: bool
    evaluated_at: int


class Decision(Record, forbid_unknown_fields=True):
    """What becomes of something that depends on a version that goes: `dependent` such as `endpoint:late`.

    `accept`: it is hit, and that is accepted. `replace`: it is taken care of before; `note` says by what.
    """

    dependent: str
    decide: Literal["accept", "replace"]
    note: Annotated[str, Meta(max_length=2000)] = ""

    def __post_init__(self) -> None:
        if self.decide == "replace" and len(self.note.strip()) < 3:
            raise ValueError("Say in 'note' what replaces it")


class NewChange(Record, forbid_unknown_fields=True):
    """`decisions` are needed to suspend or retire what others depend on, one for each of them. In an emergency
    `accept: all` suspends at once, with `reason` as the note of every decision; that it was so is recorded."""

    kind: ChangeKind
    model: str
    version: int
    reason: Reason
    decisions: list[Decision] = []
    accept: Literal["all"] | None = None


class Subject(Record):
    """The digests that signatures of a change bind to: when one of them changes, pending signatures are void."""

    artifact: str
    card: str
    profile: str
    model_file: str
    policy: str
    facts: str


class Signature(Record):
    signature_id: str
    person: str
    printed_name: str
    role: str
    meaning: Literal["approval", "rejection"]
    reason: str
    signed_at: int
    voided: bool


class StepStatus(Record):
    role: str
    needed: int
    signed: int


class Change(Record):
    change_id: str
    kind: ChangeKind
    model: str
    version: int
    state: ChangeState
    reason: str
    opened_by: str
    opened_at: int
    closed_at: int | None
    ended_because: str
    subject: Subject
    steps: list[StepStatus]
    signatures: list[Signature]
    approved_under: str | None = None
    """The change whose signed envelope approved this one, when no person signed it."""
    decisions: list[Decision] = []
    """What was decided about everything that depends on the version."""
    accepted: Literal["all"] | None = None
    """`all`: the decisions were not made one by one, but by one word in an emergency."""


class NewSignature(Record, forbid_unknown_fields=True):
    """A signature needs the person's own password again, at the moment of signing (21 CFR 11.200)."""

    person: str
    password: str
    role: str
    meaning: Literal["approval", "rejection"]
    reason: Reason


class AuditEvent(Record):
    sequence: int
    at: int
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    previous_hash: str
    hash: str


class AuditVerified(Record):
    """`first_bad` is the sequence number of the first event that does not fit the chain; None when all fit."""

    events: int
    first_bad: int | None
    problem: str
    head: str


class SignedStatement(Record):
    """What a signature says, word for word what the server's key signed. Times are ISO 8601 in UTC."""

    change_id: str
    kind: ChangeKind
    model: str
    version: int
    subject: Subject
    person: str
    printed_name: str
    role: str
    meaning: Literal["approval", "rejection"]
    reason: str
    signed_at: str
    reauthenticated_by: str
    reauthenticated_at: str
    policy_version: str


class EnvelopeVerdict(Record):
    """Whether a retraining stays within what people signed for. `change_id` is the change they signed."""

    covered: bool
    because: str
    change_id: str | None = None
    expires: str | None = None
