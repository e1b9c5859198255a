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
    """One rule of a policy at a gate: its expression, whether it held, and otherwise what would satisfy it.

    A rule that did not hold passes all the same when `exception` names the exception that allows it; with the severity
    `warn` it stops nothing. `facts` are those that it reads, as they were, when it did not hold.
    """

    rule: str
    expression: str
    passed: bool
    explanation: str
    policy: str = "tenure-baseline@1"
    severity: str = "refuse"
    exception: str = ""
    facts: dict[str, Any] = {}

    @property
    def stops(self) -> bool:
        return not self.passed and self.severity == "refuse"


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


class NewChange(Record, forbid_unknown_fields=True):
    kind: ChangeKind
    model: str
    version: int
    reason: Reason


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
