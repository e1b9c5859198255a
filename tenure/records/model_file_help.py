"""What every key of a model's file means: one table, for the JSON Schema that editors read and for the docs."""

from __future__ import annotations

HELP = {
    "ModelFile.model": "The registered model that this is about, by its name.",
    "ModelFile.purpose": "What the model is for, in one sentence that somebody who is affected by it would understand.",
    "ModelFile.owner": "Who answers for it: an address that somebody reads.",
    "ModelFile.use": "Where it is used, what for, and how it answers.",
    "ModelFile.tier": "How much depends on it, in your own word, such as `high`.",
    "ModelFile.protected": "Columns that are for tests of fairness alone. A version that takes one, or what is derived "
    "from one, is refused.",
    "Use.jurisdictions": "Where it is used, such as US or EU. None means everywhere, so every ban reaches it. A "
    "request from elsewhere is refused.",
    "Use.require": "What every request must say of itself in its header: `jurisdiction`, `purpose` or `channel`.",
    "Use.callers": "The only people and services that may have it score, by name. None means all who have the "
    "permission.",
    "Use.allow": "When it may be used, as a condition in CEL over `request`: jurisdiction, purpose, channel, caller, "
    "caller_kind (owner, person, service), endpoint, hour, weekday (1 is Monday), day, month, date and rows, held "
    "against written-out values and joined by `&&`, `||` and `!`. Times are UTC on the server's clock. A request for "
    "which it does not hold is refused.",
    "Use.valid_from": "The first day (UTC) on which it may be used, such as 2027-01-01.",
    "Use.valid_to": "The last day (UTC) on which it may be used.",
    "Use.quota": "How much each caller may have scored.",
    "Quota.rows_per_minute": "Rows in a minute of the clock. What would be more is refused until the next one.",
    "Quota.rows_per_day": "Rows in a day of UTC. What would be more is refused until midnight.",
    "Use.purposes": "Short words for what it is used for, such as `credit`. None means every purpose. A request for "
    "another is refused.",
    "Use.not_for": "What it must not be used for. A request that names it as its purpose is refused; case, "
    "spaces and dashes do not matter.",
    "Use.scoring": "Whether it answers one by one (`online`) or a file at a time (`batch`).",
    "ModelFile.features": "Every input column by name, with what is known about it. A column that is missing here is "
    "refused at approval, since nobody said when it is known.",
    "ModelFile.prediction": "What the model answers and which later fact it is judged by.",
    "ModelFile.value": "Money per row as a SQL expression over features, score, action and y.",
    "ModelFile.action": "When the model's answer leads to an action: a SQL expression over features and score.",
    "ModelFile.segments": "Columns whose values part the predictions into groups. Each window shows the accuracy of "
    "every group that is large enough.",
    "ModelFile.monitors": "What is watched while it answers, and how many false alerts are accepted.",
    "ModelFile.alerts": "Who is told of its alerts, and how.",
    "ModelFile.service": "What is promised to callers: objectives (SLO) with an error budget each.",
    "Service.availability": "The share of requests that must be answered, such as 0.999. Errors of the server (5xx) "
    "and overload count against it; a caller's mistake or quota does not.",
    "Service.latency_ms": "An answer is in time when it takes no more than this inside the server, by the clock. It "
    "is counted request by request and over days; `monitors.latency.p99_ms` is judged once for each window of "
    "event time.",
    "Service.latency_share": "The share of answers that must be in time.",
    "Service.over_days": "The period over which an error budget is spent, in days of the real clock.",
    "Alerts.channels": "Who is told at once: channels that the operator named, or `webhook:` and a webhook's name. "
    "None means that alerts show on the pages alone.",
    "Alerts.escalate": "Who is told too while nobody has acknowledged an alert, the soonest first.",
    "Alerts.cooldown": "For how long, in event time, the same breach opens no new alert after one was resolved, such "
    "as `12h` or `2d`. `0d` means that the next breach opens one.",
    "Escalation.after": "How long after the alert was first told of, in real time: `30m`, `4h` or `1d`.",
    "Escalation.to": "The channel that is told.",
    "ModelFile.approval": "Who must sign before a version may answer. With it the model is under governance.",
    "ModelFile.registration": "Who must sign before a registered version is asked anything else of.",
    "ModelFile.deployment": "Who must sign before a version is released at an endpoint as challenger or shadow.",
    "ModelFile.promotion": "Who must sign before a version becomes champion or challenger.",
    "ModelFile.retraining": "When it is retrained, how, on what, and what the new version must show.",
    "Feature.kind": "How its values are compared, and what they must be at scoring when the version has no signature.",
    "Feature.available": "When its value is known. Only `at_scoring` may be used online; any other word, such as "
    "`after_departure`, says that it comes too late.",
    "Feature.semantic": "What it means, such as `age` or `postal_code`. Bans go by this, not by the column's name.",
    "Feature.source": "Where it comes from: a system or a supplier.",
    "Feature.derived_from": "What it is computed from: columns of this file, or `model:<name>` for another model's "
    "score. What is forbidden stays forbidden in all that is derived from it.",
    "Feature.freshness_minutes": "How old a value may be when it is used, in minutes.",
    "Feature.range": "The least and the greatest value that make sense, both included.",
    "Feature.outside": "What happens at scoring to a number outside of `range`: the request is refused (`reject`), the "
    "nearer end is used and what was sent is kept (`clip`), or it is used as it is and marked (`flag`).",
    "Feature.null": "Whether a missing value is scored (`allow`, if the version takes it) or refused (`reject`).",
    "Feature.forbidden": "Where it may not be used, and why.",
    "Feature.lookup": "The table that its value is read from when a row is scored, by a key that the request brings.",
    "Lookup.source": "The database, by the name that the operator gave it: `tenure serve --lookup NAME=URL`.",
    "Lookup.table": "The table in it, such as `scores` or `credit.scores`.",
    "Lookup.key": "The table's column that names the entity. A request brings a column of the same name; it is no "
    "input of the model.",
    "Lookup.column": "The table's column that holds the value.",
    "Lookup.as_of": "The table's column that says when its row was written: what freshness is judged by.",
    "Lookup.missing": "What happens when no row has the key, or its value is null: the request is refused (`reject`), "
    "the value is null (`null`), or `default` is used.",
    "Lookup.stale": "The same, when the row is older than `freshness_minutes`.",
    "Lookup.default": "The value that is used instead.",
    "Lookup.override": "Whether a request may bring the value itself (`allow`); else one that does is refused.",
    "Lookup.cache_seconds": "For how long a value that was read is used again, at most; never beyond "
    "`freshness_minutes`.",
    "Forbidden.reason": "Why, in words that somebody who is refused reads.",
    "Forbidden.in": "The jurisdictions where it is forbidden. None means everywhere.",
    "Forbidden.for": "The purposes for which it is forbidden. None means every purpose.",
    "Prediction.positive": "What a score of 1 stands for.",
    "Prediction.outcome": "The column that later says what was true.",
    "Prediction.outcome_after_hours": "How long after the prediction the outcome is usually known, in hours.",
    "Prediction.task": "How answers are judged: yes or no by a chance (`binary`) or by a score without a scale "
    "(`ranking`), one of several classes (`multiclass`), or a number (`regression`). Left out, answers and outcomes "
    "show it.",
    "Prediction.classes": "The names of the classes, in the order of the model's chances. An outcome is told by "
    "its class's name or number, from 0 on.",
    "AtLeast.metric": "The measure of accuracy. [Which there are](statistics.md#accuracy), and for which task.",
    "AtLeast.at_least": "For a measure that is better when it is higher: it is a breach when the measure is proven "
    "to lie below this.",
    "AtLeast.at_most": "For a measure that is better when it is lower: it is a breach when the measure is proven to "
    "lie above this. `bias` is judged on both sides.",
    "AtLeast.min_outcomes": "A window with fewer outcomes is not judged.",
    "AtMost.at_most": "It is a breach when the measure is proven to lie above this.",
    "Monitors.window_days": "How many days of event time are judged together. Left out where `window_hours` is given.",
    "Monitors.window_hours": "Windows of hours instead of days: 1, 2, 3, 4, 6, 8 or 12, so that each day (UTC) begins "
    "with one. Thresholds follow, so that as many false alerts a year are accepted of 8,766 windows as of 52; so small "
    "a change as a week would prove, an hour cannot.",
    "Monitors.false_alerts_per_year": "How many false alerts a year are accepted, over all monitors of the model.",
    "Monitors.false_alerts": "The same as a phrase: `1 per 3 months`. It is kept, and printed, as "
    "`false_alerts_per_year`.",
    "Monitors.latency": "How slow answers may be.",
    "Monitors.harm": "How a lasting rise of the loss, or fall of the value, is found. `null` turns it off.",
    "Harm.tolerance": "How much worse than its reference a version may do without harm: 0.05 allows 5 % more loss, or "
    "5 % less value a row.",
    "Harm.cooldown_days": "How many days of event time a detector rests once its alarm is acknowledged.",
    "Harm.value_range": "The least and the greatest value of a row, such as [-50, 200]; what lies beyond counts as "
    "that. Left out, all but the outermost 1 % of the first outcomes.",
    "Harm.error_at_most": "For numeric outcomes, the error beyond which a row is no worse. Left out, the error that 1 "
    "in 100 of the first outcomes exceeded.",
    "Harm.compare": "Other detectors to show beside, which wake nobody: `adwin`, `page-hinkley`. They need `pip "
    "install tenure[compare]` where the server runs.",
    "Latency.p99_ms": "It is a breach when more than 1 in 100 requests of a window are proven to take longer than "
    "this. A window of fewer than 1,000 requests is not judged. It follows event time; for a promise by the clock, "
    "with an error budget, see `service`.",
    "AtLeast.window_days": "How many days of outcomes accuracy and calibration are judged on, a multiple of "
    "`monitors.window_days`: the window and those before it. Left out, one window, be it of hours.",
    "AtLeast.window": "The same as `28d` or `4w`. It is kept, and printed, as `window_days`.",
    "Monitors.maturity": "The share of predictions of a window whose outcome must be known before it is judged.",
    "Monitors.psi_floor": "Drift below this population stability index is never an alert, however certain it is.",
    "Monitors.drift": "What the columns of a window are compared with.",
    "DriftMonitor.against": "References, each judged and shown apart: `training`, `previous` (the window before), "
    "`season` (past windows on the same days of the week). Alerts come from those named here alone. Each takes its "
    "share of the budget of false alerts.",
    "DriftMonitor.season": "Which past windows of a day are of the same season: those on the same weekday "
    "(`day_of_week`), or on any working day or any weekend day alike (`day_type`). Windows of hours are compared with "
    "those of the same hours on such days; `hour_of_week`, for them alone, says the same as `day_of_week`. Days are "
    "those of UTC.",
    "DriftMonitor.cycles": "How many past weeks make the seasonal reference; how many windows, when these are longer.",
    "DriftMonitor.together": "Whether all columns are tested at once too, against rows of the version's first window "
    "(of hours, the first of the same hours): a classifier that tries to tell them apart, and the error of principal "
    "components.",
    "Monitors.accuracy": "The accuracy that is promised.",
    "Monitors.calibration": "The calibration error that is accepted.",
    "Step.role": "The role that signs.",
    "Step.signatures": "How many different people of that role must sign.",
    "Step.of": "From how many people they come: as many must at least hold the role.",
    "Step.people": "The only people who may fill the step, by name; left out, everybody with the role.",
    "Approval.steps": "The signatures that are needed, each by other people. Who made a version cannot sign it.",
    "AccuracyDrop.metric": "The measure of accuracy.",
    "AccuracyDrop.drop": "How much may be lost against what the version was approved with.",
    "AccuracyDrop.at_least": "The value below which accuracy counts as lost. Give this or `drop`.",
    "AccuracyDrop.min_outcomes": "With fewer outcomes nothing is decided.",
    "Trigger.accuracy": "Retrain when accuracy is proven lost.",
    "Guard.cooldown_days": "How many days of event time lie between two retrainings at least.",
    "Guard.max_per_quarter": "How many retrainings a quarter may see.",
    "TrainingData.window_days": "How many days of event time are trained on.",
    "TrainingData.least_days": "Nothing starts before there are outcomes of so many days.",
    "TrainingData.holdout_days": "The last days of the window, which judge and are not trained on.",
    "Envelope.expires": "The last day on which the envelope holds, such as 2027-06-30.",
    "Envelope.features": "The new version takes exactly the same columns.",
    "Envelope.family": "The new version is made by the same recipe.",
    "Envelope.score_psi_max": "How far its scores may lie from the champion's, as population stability index.",
    "Better.metric": "The measure that must be better.",
    "Better.margin": "By how much it must be better, at least.",
    "Better.confidence": "How certain that must be, between 0.5 and 1.",
    "NoWorse.metric": "The measure that must not be worse.",
    "NoWorse.margin": "By how much it may be worse.",
    "Accept.better": "What must be proven better than the champion.",
    "Accept.no_worse": "What must not be worse than the champion.",
    "Accept.shadow_days": "How many days the challenger scores the same rows before the one look.",
    "Accept.shadow_outcomes": "How many outcomes the look needs at least.",
    "Retraining.recipe": "The registered recipe that trains, by the name it was given at `tenure serve --recipe`.",
    "Retraining.when": "What starts a retraining; any of them.",
    "Retraining.accept": "What the new version must show on the same rows as the champion.",
    "Retraining.guard": "How often it may happen.",
    "Retraining.how": "A refit keeps variables and structure, and takes fresher data.",
    "Retraining.data": "Which data it trains on and which judge it.",
    "Retraining.envelope": "What may change without new signatures. It is signed together with the version.",
    "Retraining.then": "`propose` asks people to sign; `promote` goes live by itself inside the signed envelope.",
}
