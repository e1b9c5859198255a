"""The model's file: what a person declares about a model. Its YAML form is applied with `tenure apply`."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from msgspec import Meta, field
from msgspec.structs import force_setattr

from tenure.records.admission import Named, Outside
from tenure.records.base import DAY_US, HOUR_US, SECOND_US, Record
from tenure.records.lookups import Otherwise

Share = Annotated[float, Meta(ge=0, le=1)]
Day = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
Role = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z][a-z0-9-]*$")]


BUDGET = r"^([1-9]\d{0,3}) per (?:([1-9]\d{0,2}) )?(day|week|month|quarter|year)s?$"
A_YEAR = {"day": 365.25, "week": 365.25 / 7, "month": 12.0, "quarter": 4.0, "year": 1.0}
DEFAULT_BUDGET = 4.0
SIGNED_BESIDE = ("registration", "deployment", "promotion")
"""Parts of the file that ask for signatures besides `approval`."""


class Declared(Record, forbid_unknown_fields=True):
    """A part of the model's file: a key that is not known is an error."""


class Quota(Declared):
    """How many rows each caller may have scored, over all endpoints of the model: in a minute and in a day of UTC."""

    rows_per_minute: Annotated[int, Meta(ge=1)] | None = None
    rows_per_day: Annotated[int, Meta(ge=1)] | None = None

    def __post_init__(self) -> None:
        if self.rows_per_minute is None and self.rows_per_day is None:
            raise ValueError("Give 'rows_per_minute', 'rows_per_day' or both")


class Use(Declared):
    """Where, when, what for and by whom the model is used. Policies go by it, and every scoring request is held to it.

    A model that names no jurisdiction counts as used in each, and one that names no purpose as used for each. A request
    says where and what for it asks in the headers `Tenure-Jurisdiction` and `Tenure-Purpose`; one that says another
    than those named is refused. One that says none counts as the one that is named here when it is the only one, and
    is answered otherwise too, unless `require` asks for it.
    """

    jurisdictions: list[str] = []
    purposes: list[Role] = []
    not_for: list[Annotated[str, Meta(min_length=1)]] = []
    scoring: Literal["online", "batch"] = "online"
    require: list[Named] = []
    callers: list[Annotated[str, Meta(min_length=1)]] = []
    allow: Annotated[str, Meta(min_length=1, max_length=2000)] | None = None
    valid_from: Day | None = None
    valid_to: Day | None = None
    quota: Quota | None = None


class Forbidden(Declared):
    """Where a feature may not be used, and for what; no jurisdiction means everywhere, no purpose every purpose."""

    reason: Annotated[str, Meta(min_length=1)]
    within: list[str] = field(default_factory=list, name="in")
    purposes: list[Role] = field(default_factory=list, name="for")


class Lookup(Declared):
    """A feature's value is read from a table when a row is scored, by a key that the request brings in its place.

    `source` is a name that the operator gave a database (`tenure serve --lookup NAME=URL`); a file never holds a URL.
    Values are kept for `cache_seconds`, and never longer than the feature's `freshness_minutes`.
    """

    source: Annotated[str, Meta(min_length=1)]
    table: Annotated[str, Meta(min_length=1, max_length=200)]
    key: Annotated[str, Meta(min_length=1, max_length=200)]
    column: Annotated[str, Meta(min_length=1, max_length=200)]
    as_of: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    missing: Otherwise = "reject"
    stale: Otherwise = "reject"
    default: float | str | bool | None = None
    override: Literal["refuse", "allow"] = "refuse"
    cache_seconds: Annotated[float, Meta(ge=0, le=3600)] = 1.0

    def __post_init__(self) -> None:
        if "default" in (self.missing, self.stale) and self.default is None:
            raise ValueError("'missing' or 'stale' is 'default': give 'default' too")


class Feature(Declared):
    """What is known about one column. `after_outcome` and `after_departure` style names are free text;
    only `at_scoring` may be used online. `freshness_minutes` tells readers how old a value may be by then.

    `derived_from`: what it is computed from, other columns of this file or `model:<name>` for another model's score.
    What is forbidden stays forbidden in all that is derived from it, whatever its name.
    """

    kind: Literal["numeric", "categorical", "boolean", "datetime", "text"] | None = None
    available: str = "at_scoring"
    semantic: str | None = None
    source: str | None = None
    derived_from: Annotated[list[Annotated[str, Meta(min_length=1, max_length=500)]], Meta(max_length=200)] = []
    freshness_minutes: Annotated[float, Meta(ge=0)] | None = None
    range: tuple[float, float] | None = None
    forbidden: Forbidden | None = None
    outside: Outside = "flag"
    null: Literal["allow", "reject"] = "allow"
    lookup: Lookup | None = None

    def __post_init__(self) -> None:
        if self.lookup and self.freshness_minutes is not None and self.lookup.as_of is None:
            raise ValueError(
                "'freshness_minutes' of a look-up needs 'lookup.as_of', the column that says how old it is"
            )
        if self.outside != "flag" and self.range is None:
            raise ValueError("'outside' is about 'range': give that too, such as [0, 80]")


class Prediction(Declared):
    """What the model answers and which later fact it is judged by.

    All of it is for readers: windows wait for the share of outcomes in `monitors.maturity`, not for hours.
    """

    positive: str
    outcome: str
    outcome_after_hours: Annotated[float, Meta(gt=0)] = 24.0


class AtLeast(Declared):
    """`window`, such as `28d` or `4w`, is another way to write `window_days`; it is kept as days."""

    at_least: Share
    metric: Literal["roc_auc"] = "roc_auc"
    min_outcomes: Annotated[int, Meta(ge=50)] = 1000
    window_days: Annotated[int, Meta(ge=1, le=366)] | None = None
    window: Annotated[str, Meta(pattern=r"^[1-9]\d{0,2}[dw]$")] | None = None

    def __post_init__(self) -> None:
        if self.window is not None:
            days = int(self.window[:-1]) * (7 if self.window.endswith("w") else 1)
            if self.window_days not in (None, days) or days > 366:
                raise ValueError("Give 'window' or 'window_days', not both, and at most 366 days")
            force_setattr(self, "window_days", days)
            force_setattr(self, "window", None)


class AtMost(Declared):
    at_most: Annotated[float, Meta(gt=0)]


class Latency(Declared):
    """Milliseconds inside the server, from request to answer. A request counts once, however many rows it holds."""

    p99_ms: Annotated[float, Meta(gt=0)]


class Monitors(Declared):
    """What is watched, and how many false alerts are accepted while nothing is wrong.

    `false_alerts`, such as `1 per 3 months`, is another way to write `false_alerts_per_year`; it is kept as that.
    """

    window_days: Annotated[int, Meta(ge=1, le=366)] = 7
    false_alerts_per_year: Annotated[float, Meta(gt=0)] = DEFAULT_BUDGET
    maturity: Share = 0.9
    psi_floor: Annotated[float, Meta(gt=0)] = 0.1
    accuracy: AtLeast | None = None
    calibration: AtMost | None = None
    latency: Latency | None = None
    false_alerts: Annotated[str, Meta(pattern=BUDGET)] | None = None

    def __post_init__(self) -> None:
        if self.false_alerts is not None:
            yearly = per_year(self.false_alerts)
            if self.false_alerts_per_year not in (DEFAULT_BUDGET, yearly):
                raise ValueError("Give 'false_alerts' or 'false_alerts_per_year', not both")
            force_setattr(self, "false_alerts_per_year", yearly)
            force_setattr(self, "false_alerts", None)
        days = self.accuracy.window_days if self.accuracy else None
        if days is not None and days % self.window_days:
            raise ValueError(f"'accuracy.window_days' must be a multiple of 'window_days', {self.window_days}")


def per_year(budget: str) -> float:
    """How many a year a phrase such as `1 per 3 months` stands for.

    >>> [per_year(phrase) for phrase in ("1 per 3 months", "2 per year", "1 per week")]
    [4.0, 2.0, 52.18]
    """
    found = re.fullmatch(BUDGET, budget)
    assert found is not None
    return round(int(found[1]) * A_YEAR[found[3]] / int(found[2] or 1), 2)


Span = Annotated[str, Meta(pattern=r"^[1-9]\d{0,2}[mhd]$")]
Channel = Annotated[str, Meta(pattern=r"^(webhook:)?[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
SPANS = {"m": 60 * SECOND_US, "h": HOUR_US, "d": DAY_US}


def span_us(span: str) -> int:
    """Microseconds of a span such as `30m`, `4h` or `2d`.

    >>> [span_us(span) // 60_000_000 for span in ("30m", "4h", "2d")]
    [30, 240, 2880]
    """
    return int(span[:-1]) * SPANS[span[-1]]


class Escalation(Declared):
    """Who is told too when nobody has acknowledged an alert `after` it was told of. Real time."""

    after: Span
    to: Channel


class Alerts(Declared):
    """Who is told of the model's alerts. A channel is one that the operator named (`tenure serve --alert-channel`),
    or `webhook:` and the name of a webhook.

    `cooldown` follows event time: for so long after an alert was resolved, the same breach opens no new one.
    """

    channels: Annotated[list[Channel], Meta(max_length=20)] = []
    escalate: Annotated[list[Escalation], Meta(max_length=10)] = []
    cooldown: Annotated[str, Meta(pattern=r"^(0|[1-9]\d{0,2})[mhd]$")] = "0d"

    def __post_init__(self) -> None:
        waits = [span_us(one.after) for one in self.escalate]
        if waits != sorted(waits):
            raise ValueError("Write 'escalate' in the order of 'after', the soonest first")


class Step(Declared):
    """`signatures` people who hold the role must sign: of those named in `people`, or of everybody with the role.

    `of` is how many may be chosen from: the number of `people`, or how many must at least hold the role, so that two
    of three never become two of two.
    """

    role: Role
    signatures: Annotated[int, Meta(ge=1, le=10)] = 1
    of: Annotated[int, Meta(ge=1, le=100)] | None = None
    people: list[str] = []

    def __post_init__(self) -> None:
        names = len(set(self.people))
        if names != len(self.people):
            raise ValueError("Name each of 'people' once")
        if self.of is not None and self.people and self.of != names:
            raise ValueError(f"'of' must be the number of 'people', {names}; leave it out")
        panel = names or self.of
        if panel and self.signatures > panel:
            raise ValueError(f"'signatures' must be at most {panel}, so many may sign")


class Approval(Declared):
    """Who signs for a change of one kind: every step must be filled."""

    steps: Annotated[list[Step], Meta(min_length=1)]


class AccuracyDrop(Declared):
    """Fires when the metric is proven to lie below a threshold: `at_least`, or what the version was approved with
    less `drop`. Exactly one of the two is given."""

    metric: Literal["roc_auc"] = "roc_auc"
    drop: Annotated[float, Meta(ge=0, lt=0.5)] | None = None
    at_least: Share | None = None
    min_outcomes: Annotated[int, Meta(ge=100)] = 2000

    def __post_init__(self) -> None:
        if (self.drop is None) == (self.at_least is None):
            raise ValueError("Give exactly one of 'drop' and 'at_least'")

    def threshold(self, promised: float) -> float:
        """The value below which accuracy counts as lost, for a version approved with `promised`."""
        return self.at_least if self.at_least is not None else promised - (self.drop or 0.0)


class Trigger(Declared):
    accuracy: AccuracyDrop


class Guard(Declared):
    cooldown_days: Annotated[int, Meta(ge=0)] = 7
    max_per_quarter: Annotated[int, Meta(ge=1)] = 6


class TrainingData(Declared):
    """The latest `window_days` of event time, of which the last `holdout_days` judge. Nothing starts before there are
    `least_days` of outcomes."""

    window_days: Annotated[int, Meta(ge=1)] = 90
    least_days: Annotated[int, Meta(ge=1)] = 28
    holdout_days: Annotated[int, Meta(ge=1)] = 14


class Envelope(Declared):
    """What a retraining may change without a new full approval. It is signed with the version it was approved for.

    `features` and `score_psi_max` are checked of each new version. `family` holds because a refit runs the one recipe
    that the signed file names; the estimator itself is not looked into.
    """

    expires: Day
    features: Literal["same"] = "same"
    family: Literal["same"] = "same"
    score_psi_max: Annotated[float, Meta(gt=0)] = 0.1


class Better(Declared):
    metric: Literal["roc_auc"] = "roc_auc"
    margin: Annotated[float, Meta(ge=0)] = 0.0
    confidence: Annotated[float, Meta(gt=0.5, lt=1)] = 0.95


class NoWorse(Declared):
    metric: Literal["brier"] = "brier"
    margin: Annotated[float, Meta(ge=0)] = 0.002


class Accept(Declared):
    """What a challenger must show on the same rows as the champion. It is looked at once: when the shadow ends."""

    better: Better
    no_worse: NoWorse | None = None
    shadow_days: Annotated[int, Meta(ge=1)] = 14
    shadow_outcomes: Annotated[int, Meta(ge=100)] = 1000


class Retraining(Declared):
    recipe: str
    when: Annotated[list[Trigger], Meta(min_length=1)]
    accept: Accept
    guard: Guard = Guard()
    how: Literal["refit"] = "refit"
    data: TrainingData = TrainingData()
    envelope: Envelope | None = None
    then: Literal["propose", "promote"] = "propose"


class ModelFile(Declared):
    """One model, as declared. `value` and `action` are SQL expressions over features, score, action and y.

    `approval` puts it under governance. `registration`, `deployment` and `promotion` ask for signatures of their own;
    without them a version is judged when it is approved, and its approval allows the rest. `tier` is how much depends
    on it, in your own words.
    """

    model: str
    purpose: Annotated[str, Meta(min_length=1)]
    owner: Annotated[str, Meta(min_length=1)]
    use: Use = Use()
    tier: Role | None = None
    features: dict[str, Feature] = {}
    protected: list[str] = []
    prediction: Prediction | None = None
    value: str | None = None
    action: str = "score >= 0.5"
    segments: list[Annotated[str, Meta(min_length=1)]] = []
    monitors: Monitors = Monitors()
    alerts: Alerts = Alerts()
    approval: Approval | None = None
    registration: Approval | None = None
    deployment: Approval | None = None
    promotion: Approval | None = None
    retraining: Retraining | None = None

    def __post_init__(self) -> None:
        more = [name for name in SIGNED_BESIDE if getattr(self, name) is not None]
        if more and self.approval is None:
            raise ValueError(f"'{more[0]}' is for models under governance: declare 'approval' with its steps too")


class AppliedFile(Record):
    """A revision of a model's file: who applied it and when, and what it changed from the one before."""

    model: str
    revision: int
    digest: str
    applied_by: str
    applied_at: int
    file: ModelFile
