"""The model's file: what a person declares about a model. Its YAML form is applied with `tenure apply`."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from msgspec import Meta, field
from msgspec.structs import force_setattr

from tenure.records.admission import Named, Outside
from tenure.records.base import DAY_US, HOUR_US, SECOND_US, Record
from tenure.records.harm import Rival
from tenure.records.lookups import Otherwise
from tenure.records.measured import BETTER, TASKS, Metric, Task

Share = Annotated[float, Meta(ge=0, le=1)]
Day = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
Against = Literal["training", "previous", "season"]
Season = Literal["day_of_week", "day_type", "hour_of_week"]
Role = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z][a-z0-9-]*$")]


BUDGET = r"^([1-9]\d{0,3}) per (?:([1-9]\d{0,2}) )?(day|week|month|quarter|year)s?$"
A_YEAR = {"day": 365.25, "week": 365.25 / 7, "month": 12.0, "quarter": 4.0, "year": 1.0}
DEFAULT_BUDGET = 4.0
DEFAULT_WINDOW_DAYS = 7
WINDOW_HOURS = (1, 2, 3, 4, 6, 8, 12)
"""Widths of windows below a day: those that divide one, so that the same hours come again every day."""
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

    Most of it is for readers: windows wait for the share of outcomes in `monitors.maturity`, not for hours. `task` and
    `classes` say how answers are judged, where that cannot be seen from answers and outcomes: `classes` are the names
    of the classes in the order of the model's chances, and an outcome is the number of its class from 0 on.
    """

    outcome: str
    positive: str = "yes"
    outcome_after_hours: Annotated[float, Meta(gt=0)] = 24.0
    task: Task | None = None
    classes: Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(max_length=1000)] = []

    def __post_init__(self) -> None:
        if self.classes and (len(self.classes) < 2 or len(set(self.classes)) < len(self.classes)):
            raise ValueError("'classes' must name at least two classes, each once")
        if self.classes and self.task not in (None, "multiclass"):
            raise ValueError(f"'classes' belong to the task 'multiclass', not to {self.task!r}: leave one of them out")

    @property
    def known_task(self) -> Task | None:
        """The task as far as the file tells it."""
        return "multiclass" if self.classes else self.task


class AtLeast(Declared):
    """The accuracy that is promised: `at_least` for a metric that is better when it is higher, else `at_most`.

    `window`, such as `28d` or `4w`, is another way to write `window_days`; it is kept as days.
    """

    at_least: Annotated[float, Meta(le=1)] | None = None
    metric: Metric = "roc_auc"
    min_outcomes: Annotated[int, Meta(ge=50)] = 1000
    window_days: Annotated[int, Meta(ge=1, le=366)] | None = None
    window: Annotated[str, Meta(pattern=r"^[1-9]\d{0,2}[dw]$")] | None = None
    at_most: Annotated[float, Meta(gt=0)] | None = None

    @property
    def threshold(self) -> float:
        """Where the metric must not lie beyond: below it where higher is better, else above it."""
        held = self.at_least if BETTER[self.metric] == "higher" else self.at_most
        assert held is not None
        return held

    def __post_init__(self) -> None:
        right, wrong = ("at_least", "at_most") if BETTER[self.metric] == "higher" else ("at_most", "at_least")
        if getattr(self, right) is None or getattr(self, wrong) is not None:
            why = "higher" if right == "at_least" else "closer to 0"
            raise ValueError(f"'{self.metric}' is better when it is {why}: give '{right}', and no '{wrong}'")
        if self.at_least is not None and self.at_least < 0 and self.metric != "r_squared":
            raise ValueError(f"'at_least' must be between 0 and 1. Got {self.at_least:g}; write 0.8 for 80 %")
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


class Harm(Declared):
    """How a lasting rise of the loss, or fall of the value, is found: row by row, as outcomes mature.

    `tolerance` is a share of what the reference lost, or was worth, that may be lost without harm. `value_range` and
    `error_at_most` say on which scale rows are compared, so that no single row outweighs thousands.
    """

    tolerance: Annotated[float, Meta(ge=0, le=10)] = 0.05
    cooldown_days: Annotated[float, Meta(ge=0, le=366)] = 7.0
    value_range: tuple[float, float] | None = None
    error_at_most: Annotated[float, Meta(gt=0)] | None = None
    compare: list[Rival] = []

    def __post_init__(self) -> None:
        if self.value_range is not None and not self.value_range[0] < self.value_range[1]:
            raise ValueError("'value_range' must rise: the least and the greatest value of a row, such as [-50, 200]")


class DriftMonitor(Declared):
    """What a window's columns are compared with; each reference is judged, corrected and shown apart, and alerts come
    from those named here alone.

    `training`: the version's baseline. `previous`: the window just before, so that a change is told from a distance.
    `season`: past windows on the same days of the week, the last `cycles` weeks (with windows of whole weeks, the last
    `cycles` windows), so that a weekend is compared with weekends; windows of hours, at the same hours of those days.
    `together`: all columns at once, against the rows of the version's first window here (of hours, of the same hours).
    """

    against: Annotated[tuple[Against, ...], Meta(min_length=1, max_length=3)] = ("training",)
    season: Season = "day_of_week"
    cycles: Annotated[int, Meta(ge=1, le=52)] = 4
    together: bool = False

    def __post_init__(self) -> None:
        if len(set(self.against)) != len(self.against):
            raise ValueError("Name each of 'against' once")


BOTH_WIDTHS = "Give 'window_days' or 'window_hours', not both: windows are of days or of hours"


class Monitors(Declared):
    """What is watched, and how many false alerts are accepted while nothing is wrong.

    Windows are of days, or of hours with `window_hours`; `window_days` then says nothing and stands at its default.
    `false_alerts`, such as `1 per 3 months`, is another way to write `false_alerts_per_year`; it is kept as that.
    """

    window_days: Annotated[int, Meta(ge=1, le=366)] = DEFAULT_WINDOW_DAYS
    false_alerts_per_year: Annotated[float, Meta(gt=0)] = DEFAULT_BUDGET
    maturity: Share = 0.9
    psi_floor: Annotated[float, Meta(gt=0)] = 0.1
    accuracy: AtLeast | None = None
    calibration: AtMost | None = None
    latency: Latency | None = None
    harm: Harm | None = Harm()
    false_alerts: Annotated[str, Meta(pattern=BUDGET)] | None = None
    drift: DriftMonitor = DriftMonitor()
    window_hours: Annotated[int, Meta(extra_json_schema={"enum": [*WINDOW_HOURS, None]})] | None = None

    @property
    def window_us(self) -> int:
        """How long a window is, in microseconds of event time."""
        return self.window_days * DAY_US if self.window_hours is None else self.window_hours * HOUR_US

    @property
    def window_words(self) -> str:
        """How long a window is, as `7 days` or `1 hour`."""
        count, unit = (self.window_days, "day") if self.window_hours is None else (self.window_hours, "hour")
        return f"{count} {unit}{'' if count == 1 else 's'}"

    def __post_init__(self) -> None:
        if self.window_hours is not None:
            self._check_hours(self.window_hours)
        elif self.drift.season == "hour_of_week":
            raise ValueError("'drift.season: hour_of_week' needs windows of hours: give 'window_hours', such as 1")
        elif "season" in self.drift.against and self.window_days != 1 and self.window_days % 7:
            raise ValueError(
                f"'drift.against: season' needs windows of one day or of whole weeks. Got 'window_days' "
                f"{self.window_days}; write 1 or 7"
            )
        if self.false_alerts is not None:
            yearly = per_year(self.false_alerts)
            if self.false_alerts_per_year not in (DEFAULT_BUDGET, yearly):
                raise ValueError("Give 'false_alerts' or 'false_alerts_per_year', not both")
            force_setattr(self, "false_alerts_per_year", yearly)
            force_setattr(self, "false_alerts", None)
        days = self.accuracy.window_days if self.accuracy else None
        if days is not None and days * DAY_US % self.window_us:
            raise ValueError(f"'accuracy.window_days' must be a multiple of 'window_days', {self.window_days}")

    def _check_hours(self, hours: int) -> None:
        if hours not in WINDOW_HOURS:
            listed = ", ".join(map(str, WINDOW_HOURS))
            meant = f"write 'window_days: {hours // 24}'" if hours > 0 and hours % 24 == 0 else "they must divide a day"
            raise ValueError(f"'window_hours' must be one of {listed}. Got {hours}; {meant}")
        if self.window_days != DEFAULT_WINDOW_DAYS:
            raise ValueError(BOTH_WIDTHS)


def per_year(budget: str) -> float:
    """How many a year a phrase such as `1 per 3 months` stands for.

    >>> [per_year(phrase) for phrase in ("1 per 3 months", "2 per year", "1 per week")]
    [4.0, 2.0, 52.18]
    """
    found = re.fullmatch(BUDGET, budget)
    assert found is not None
    return round(int(found[1]) * A_YEAR[found[3]] / int(found[2] or 1), 2)


WEBHOOK = "webhook:"
"""What a channel begins with that is a webhook, by its name."""
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


class Service(Declared):
    """What is promised to callers: service level objectives over `over_days` of the real clock, whose error budgets are
    watched by burn rates. What a window of event time promises is `monitors.latency`.

    `availability`: the share of requests that are answered; errors of the server and overload count against it, what is
    the caller's own mistake does not. `latency_share`: the share of answers that leave within `latency_ms`.
    """

    availability: Annotated[float, Meta(gt=0, extra_json_schema={"exclusiveMaximum": 1})] | None = None
    latency_ms: Annotated[float, Meta(gt=0)] | None = None
    latency_share: Annotated[float, Meta(gt=0, extra_json_schema={"exclusiveMaximum": 1})] = 0.99
    over_days: Annotated[int, Meta(ge=7, le=90)] = 30

    def __post_init__(self) -> None:
        for name in ("availability", "latency_share"):
            share = getattr(self, name)
            if share is not None and share >= 1:
                meant = f"write {share / 100:g} for {share:g} %" if 1 < share < 100 else "1 leaves no budget for errors"
                raise ValueError(f"'{name}' must be a share below 1. Got {share:g}; {meant}")
        if self.availability is None and self.latency_ms is None:
            raise ValueError("Give 'availability', 'latency_ms' or both")


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
    service: Service | None = None
    approval: Approval | None = None
    registration: Approval | None = None
    deployment: Approval | None = None
    promotion: Approval | None = None
    retraining: Retraining | None = None

    def __post_init__(self) -> None:
        task = self.prediction.known_task if self.prediction else None
        asked = self.monitors.accuracy
        if task and asked and task not in TASKS[asked.metric]:
            fitting = ", ".join(f"'{name}'" for name in TASKS if task in TASKS[name])
            raise ValueError(
                f"'monitors.accuracy.metric' is '{asked.metric}', which is no measure of the task '{task}': use one "
                f"of {fitting}"
            )
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
