"""Policies as data: rules and bans with their jurisdictions and dates, exceptions to them, and what they would do."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta

from tenure.records.base import Record
from tenure.records.changes import Reason
from tenure.records.model_files import Declared, Role

Gate = Literal["register", "approve", "deploy", "promote"]
Severity = Literal["refuse", "warn"]
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z][a-z0-9-]*$")]
Place = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[A-Za-z][A-Za-z0-9-]*$")]
Mark = Annotated[str, Meta(min_length=1, max_length=200)]
Words = Annotated[str, Meta(min_length=3, max_length=2000)]
ExceptionState = Literal["requested", "approved", "refused", "revoked"]


class AppliesTo(Declared):
    """Which models a policy is about. What is left out means all.

    `models` are names, or patterns with `*`. A model whose file names no jurisdiction or purpose counts for each.
    """

    jurisdictions: list[Place] = []
    purposes: list[Role] = []
    models: list[Mark] = []


class Span(Declared):
    """From the beginning of `valid_from` to the end of `valid_to`, both days of UTC; what is left out is open."""

    valid_from: date | None = None
    valid_to: date | None = None

    def __post_init__(self) -> None:
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise ValueError("'valid_to' must not be before 'valid_from'")


class PolicyRule(Span, kw_only=True):
    """What must be true of a version's facts at some gates. `explain` says what would satisfy it; in braces it may name
    facts, such as `{baseline.roc_auc}`. With `severity: warn` it is told and stops nothing."""

    name: Name
    gates: Annotated[list[Gate], Meta(min_length=1)]
    require: Annotated[str, Meta(min_length=1, max_length=2000)]
    explain: Words
    jurisdictions: list[Place] = []
    severity: Severity = "refuse"


class Ban(Span, kw_only=True):
    """What no feature may mean or come from, for which purposes and where. Exactly one of `semantic` and `source`.

    `condition` narrows it to versions of which it is true; one that cannot be answered counts as true.
    """

    reason: Words
    semantic: Mark | None = None
    source: Mark | None = None
    purposes: list[Role] = []
    jurisdictions: list[Place] = []
    condition: Annotated[str, Meta(min_length=1, max_length=2000)] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.semantic is None) == (self.source is None):
            raise ValueError("Give exactly one of 'semantic' and 'source'")

    @property
    def mark(self) -> str:
        """The mark as exceptions name it."""
        return f"semantic:{self.semantic}" if self.semantic else f"source:{self.source}"


class Policy(Span, kw_only=True):
    """One policy as a person writes it. `exceptions_by`: the role whose holders may allow an exception."""

    policy: Name
    purpose: Words
    applies_to: AppliesTo = AppliesTo()
    rules: Annotated[list[PolicyRule], Meta(max_length=200)] = []
    forbid: Annotated[list[Ban], Meta(max_length=200)] = []
    exceptions_by: Role = "admin"


class Withdrawal(Record):
    """From when on a published version counts no more."""

    from_date: date
    reason: str
    by: str
    at: int


class PublishedPolicy(Record):
    """A published version. Only its withdrawal is ever added."""

    name: str
    version: int
    digest: str
    body: Policy
    published_by: str
    published_at: int
    withdrawn: Withdrawal | None = None

    @property
    def title(self) -> str:
        return f"{self.name}@{self.version}"


class PolicyDraft(Record):
    name: str
    body: Policy
    saved_by: str
    saved_at: int


class PolicyShown(Record):
    """A policy with all its versions, the newest first, and its draft. `current` is the version that counts now."""

    name: str
    current: int | None
    versions: list[PublishedPolicy]
    draft: PolicyDraft | None


class RuleChecked(Record):
    """A rule that was checked: the facts it reads."""

    rule: str
    reads: list[str]


class PolicyChecked(Record):
    policy: str
    digest: str
    rules: list[RuleChecked]


class Published(Record):
    """What publishing or withdrawing did. `invalidated` are the change requests whose approvals it voided."""

    policy: PublishedPolicy
    invalidated: list[str]


class NewWithdrawal(Record, forbid_unknown_fields=True):
    from_date: date
    reason: Reason


class NewException(Record, forbid_unknown_fields=True):
    """A request that something be allowed for one model, until the end of a day.

    `subject`: `<policy>/<rule>`, `semantic:<type>` or `source:<name>`. `owner` answers for it.
    """

    model: str
    subject: Mark
    owner: Mark
    reason: Reason
    expires: date


class Decision(Record, forbid_unknown_fields=True):
    """Somebody's word on an exception, with their own password, in the role that the policy names."""

    person: str
    password: str
    decision: Literal["approve", "refuse"]
    reason: Reason


class PolicyException(Record):
    """`expired` as of the moment it is shown; an expired one allows nothing."""

    exception_id: str
    model: str
    subject: str
    owner: str
    reason: str
    expires: date
    state: ExceptionState
    requested_by: str
    requested_at: int
    decided_by: str = ""
    decided_at: int | None = None
    decided_because: str = ""
    ended_by: str = ""
    ended_at: int | None = None
    ended_because: str = ""
    expired: bool = False


class RuleOutcome(Record):
    """What one rule would have said. `lacking`: facts it reads that were not known, or not recorded then."""

    rule: str
    held: bool
    explanation: str
    lacking: list[str]


class DryRunLine(Record):
    evaluation_id: str
    gate: str
    model: str
    version: int
    evaluated_at: int
    passed_then: bool
    would_pass: bool
    rules: list[RuleOutcome]


class DryRun(Record):
    """What a policy would have done to past evaluations of gates.

    `refused`: those that passed then and would not have. `lacking`: those whose facts lack something that a rule needs.
    `not_about`: evaluations that the policy does not reach.
    """

    policy: str
    since_at: int
    until_at: int
    evaluations: int
    not_about: int
    refused: int
    lacking: int
    by_rule: dict[str, int]
    lines: list[DryRunLine]
    cut: bool = False


class VaultEntry(Record):
    """An attribute in the vault: never its values."""

    attribute: str
    rows: int
    digest: str
    put_by: str
    put_at: int


class Association(Record):
    """How closely one feature goes with a protected attribute, 0–1."""

    feature: str
    measure: str
    value: float


class ProxyOrder(Record):
    """What the process that measures gets: columns by name and one attribute, row by row."""

    columns: dict[str, list[str | float | None]]
    attribute: list[str | float | None]


class ProxyFigures(Record):
    """What that process answers; `problem` says why nothing could be told."""

    measure: str = ""
    auc: float = 0.0
    low: float = 0.0
    high: float = 0.0
    rows: int = 0
    left_out: int = 0
    groups: dict[str, int] = {}
    features: list[Association] = []
    folds: int = 0
    problem: str = ""


class ProxyTest(Record):
    """A proxy test of a version: how well its features predict an attribute, out of fold, and which tells most.

    `measure`: roc_auc, roc_auc_weighted (one against the rest, by share) or concordance. `left_out`: rows of groups
    that are too small to be judged, or whose attribute is missing.
    """

    test_id: str
    model: str
    version: int
    attribute: str
    measure: str
    auc: float
    low: float
    high: float
    rows: int
    left_out: int
    groups: dict[str, int]
    features: list[Association]
    folds: int
    digest: str
    made_by: str
    made_at: int

    @property
    def strongest(self) -> str:
        return self.features[0].feature if self.features else ""
