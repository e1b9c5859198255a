"""Change requests, gates and electronic signatures."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from tenure.records.base import Record

Move = Literal["register", "approve", "deploy", "promote", "suspend", "retire"]
ChangeKind = Literal["register", "approve", "deploy", "promote", "suspend", "retire", "revise"]
"""What is asked for: a move of a version, or with `revise` that the model's file be loosened."""
ChangeState = Literal["open", "approved", "rejected", "invalidated", "withdrawn"]
VersionState = Literal["registered", "in_review", "approved", "suspended", "retired", "rejected"]
Meaning = Literal["approval", "rejection", "author", "review", "release", "suspension", "retirement"]
"""What a signature says of its record (21 CFR 11.50). All but `rejection` and `author` fill a place of a step."""
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
    signatures: list[SignatureBlock] = []
    """Those of the version, where an evaluation is shown; none in what is stored."""


class Target(Record, forbid_unknown_fields=True):
    """Where a version goes when a deploy or promote change is carried out.

    `endpoint` is empty for every endpoint of the model; `share` (0–1) counts for a challenger only.
    """

    to: Literal["champion", "challenger", "shadow"] = "champion"
    endpoint: str = ""
    share: Annotated[float, Meta(ge=0, lt=1)] = 0.0


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
    """`target` is for the kinds deploy and promote; without one a promotion makes the version champion.

    `decisions` are needed to suspend or retire what others depend on, one for each of them. In an emergency
    `accept: all` suspends at once, with `reason` as the note of every decision; that it was so is recorded.
    """

    kind: Move
    model: str
    version: int
    reason: Reason
    target: Target | None = None
    decisions: list[Decision] = []
    accept: Literal["all"] | None = None


class Subject(Record):
    """The digests that signatures of a change bind to: when one of them changes, pending signatures are void.

    `decisions` is empty for kinds that need none, and in what was signed before signatures covered decisions. `revised`
    is the file that is to stand in place of `model_file`, where that is what is asked for.
    """

    artifact: str
    card: str
    profile: str
    model_file: str
    policy: str
    facts: str
    decisions: str = ""
    revised: str = ""


class Looser(Record):
    """A rule of a model's file that another file loosens: where it stands, and why it counts as looser, in words."""

    path: str
    words: str


class Revising(Record):
    """The revision of a model's file that is asked for: in place of which, what is looser, and all that it changes.

    The file itself is pinned by its digest, `revised` of the subject.
    """

    standing: int
    looser: list[Looser]
    changes: list[str]


class StepAsked(Record):
    """A step of a change: how many signatures, each of a person who holds one of the roles.

    `people` are the only ones who may fill it; empty when everybody with the role may.
    """

    roles: list[str]
    signatures: int
    people: list[str] = []

    @property
    def role(self) -> str:
        return " or ".join(self.roles)


class Signature(Record):
    """A signature as it is shown (21 CFR 11.50). Its envelope, which says the same, is what was signed.

    The last five come out of the envelope: how and when the person proved to be who they are, and what it binds to.
    """

    signature_id: str
    person: str
    printed_name: str
    role: str
    meaning: Meaning
    reason: str
    signed_at: int
    voided: bool
    reauthenticated_by: str = ""
    reauthenticated_at: str = ""
    policy_version: str = ""
    subject: Subject | None = None
    key_id: str = ""


class SignatureBlock(Record):
    """The signatures of one change of a version: what every page and export of the version shows.

    `approved_under` is the change whose signed envelope stands in for signatures.
    """

    change_id: str
    kind: ChangeKind
    state: ChangeState
    signatures: list[Signature]
    approved_under: str | None = None


class StepStatus(Record):
    role: str
    needed: int
    signed: int
    people: list[str] = []


class Change(Record):
    """`version` is 0 for the kind `revise`, which is about the model's file and no version."""

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
    target: Target | None = None
    decisions: list[Decision] = []
    """What was decided about everything that depends on the version."""
    accepted: Literal["all"] | None = None
    """`all`: the decisions were not made one by one, but by one word in an emergency."""
    revising: Revising | None = None

    @property
    def about(self) -> str:
        """What it is about, for people: `late 3`, or `the file of late`."""
        return f"{self.model} {self.version}" if self.revising is None else f"the file of {self.model}"


class NewSignature(Record, forbid_unknown_fields=True):
    """A signature needs the person's own password again, at the moment of signing (21 CFR 11.200)."""

    person: str
    password: str
    role: str
    meaning: Meaning
    reason: Reason


class NewComment(Record, forbid_unknown_fields=True):
    text: Annotated[str, Meta(min_length=1, max_length=4000)]


class Comment(Record):
    """What somebody said about a change. It is never edited."""

    comment_id: str
    change_id: str
    person: str
    text: str
    at: int


class Moment(Record):
    """One entry of a change's discussion, in the order of time: it was opened, commented, signed, ended."""

    at: int
    what: Literal["opened", "comment", "signature", "ended"]
    who: str
    text: str
    signature: Signature | None = None


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
    checkpoints: int = 0
    """Signed checkpoints that the chain agrees with."""


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
    meaning: Meaning
    reason: str
    signed_at: str
    reauthenticated_by: str
    reauthenticated_at: str
    policy_version: str
    target: Target | None = None
    steps: list[StepAsked] = []
    """The quorum that the change asks for, so that it can be counted without the server."""
    decisions: list[Decision] = []
    """What was decided about each dependent of a version that goes; `subject.decisions` is their digest."""
    accepted: Literal["all"] | None = None
    revising: Revising | None = None


class EnvelopeVerdict(Record):
    """Whether a retraining stays within what people signed for. `change_id` is the change they signed."""

    covered: bool
    because: str
    change_id: str | None = None
    expires: str | None = None
