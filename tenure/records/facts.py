"""What a gate looks at: everything that is known about a version, typed and complete.

A fact that is not known is None, and a rule that needs it fails. None of the facts says when it was gathered: the same
version with the same evidence always gives the same record, and so the same digest.
"""

from __future__ import annotations

from tenure.records.base import Record


class FeatureFact(Record):
    """One input column of the version and what the model's file says about it.

    `available` is None when the file does not name the column. `forbidden` holds within the file's jurisdictions, by
    the file itself and by every policy in force; None when it cannot be told, and `forbidden_because` says why.
    `semantics` and `sources` are its own and those of all that it is derived from, through other models' scores too;
    `scores_of` names those models. They are None when the way back cannot be walked. `excepted_by`: the exceptions
    without which it would be forbidden.
    """

    name: str
    type: str
    declared: bool
    available: str | None
    kind: str | None
    semantic: str | None
    source: str | None
    forbidden: bool | None
    forbidden_because: str
    derived_from: list[str] | None = None
    semantics: list[str] | None = None
    sources: list[str] | None = None
    scores_of: list[str] | None = None
    excepted_by: list[str] = []


class CardFact(Record):
    revision: int
    digest: str
    missing: list[str]


class BaselineFact(Record):
    """The profile that was taken at training. `columns_missing` are inputs of the version that it does not hold."""

    digest: str
    rows: int
    columns_missing: list[str]
    has_scores: bool
    judged_rows: int | None
    roc_auc: float | None
    roc_auc_low: float | None = None
    roc_auc_high: float | None = None
    brier: float | None = None
    positives: int | None = None
    value_per_row: float | None = None


class ArtifactFact(Record):
    """`intact` is None when nobody has read the bytes; else whether every pinned file was there with its digest."""

    digest: str
    file_count: int
    intact: bool | None
    problems: list[str]


class ContentsFact(Record):
    """What the version's files are, from looking into them without loading any: evidence, never a permission.

    `runs_code`: loading the model runs code that its files hold; None when that is not known. `flagged` are imports of
    pickles that the scanner calls dangerous, `unread` files that it could not read to their end.
    """

    runs_code: bool | None
    pickles: list[str]
    code: list[str]
    flagged: list[str]
    unread: list[str]


class ApprovalFact(Record):
    """How the version stands since it was approved. Looked at when it is to be released, not when it is approved."""

    required: bool
    state: str
    artifact_unchanged: bool
    baseline_unchanged: bool


class CodeFact(Record):
    """Where the code was. `dirty` is None when nobody told whether anything was uncommitted."""

    commit: str | None
    branch: str | None
    remote: str | None
    dirty: bool | None
    changes: str | None
    path: str | None


class EnvironmentFact(Record):
    """`locked`: every package's name, version and origin say exactly what was installed. None when it was not told."""

    locked: bool | None
    python: str | None
    packages: dict[str, str] | None
    packages_digest: str | None


class DataFact(Record):
    """A dataset of the run. `sha256` covers all of it; None when only a short digest of the client is known."""

    name: str
    use: str
    digest: str
    sha256: str | None


class UpstreamFact(Record):
    """Another model whose score this version takes, at first hand or through further models. `champion` is None when
    it has none."""

    model: str
    governed: bool
    champion: int | None
    champion_state: str | None


class ProxyFact(Record):
    """How well the version's features together predict a protected attribute.

    `auc`: 0.5 is guessing, 1 an exact proxy; for numbers the chance that of two rows the higher one is predicted
    higher. `low` and `high` bound it at 95 %. `strongest` is the feature that tells most on its own.
    """

    attribute: str
    auc: float
    low: float
    high: float
    rows: int
    strongest: str
    digest: str


class Facts(Record):
    """`code`, `environment`, `data` and `seed` are what the clients told of the version's logged model and run.

    `purposes`, `scoring` and `tier` are as the model's file declares them. `proxies` is None before any proxy test.
    `journaling`: how the model's endpoints journal, each mode once; None while it has no endpoint.
    """

    model: str
    version: int
    jurisdictions: list[str]
    purpose: str
    authors: list[str]
    model_file_digest: str
    features: list[FeatureFact] | None
    card: CardFact | None
    baseline: BaselineFact | None
    artifact: ArtifactFact | None
    approval: ApprovalFact | None = None
    contents: ContentsFact | None = None
    code: CodeFact | None = None
    environment: EnvironmentFact | None = None
    data: list[DataFact] | None = None
    seed: int | None = None
    purposes: list[str] | None = None
    scoring: str | None = None
    tier: str | None = None
    governed: bool | None = None
    upstream: list[UpstreamFact] | None = None
    proxies: list[ProxyFact] | None = None
    journaling: list[str] | None = None


class BytesChecked(Record):
    """A version's files, read and hashed: what did not fit its pinned manifest. Made outside of any transaction."""

    model: str
    version: int
    digest: str
    file_count: int
    problems: list[str]
