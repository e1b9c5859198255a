"""A plausible year of an endpoint, made from a seed: what pages and charts are tried on."""

from __future__ import annotations

import math
import random

from tenure.records.alerts import Alert, Evidence
from tenure.records.arrivals import Arrival
from tenure.records.base import DAY_US, Instant, instant_of
from tenure.records.drift import (
    ColumnDrift,
    Comparison,
    DriftReport,
    NewLevel,
    SchemaBreach,
    Statistic,
    Telling,
    Together,
    Unseen,
)
from tenure.records.estimates import Estimate, Estimation
from tenure.records.features import Cost, Importance, ImportanceMethod, MeasuredFeature, MeasuredFeatures
from tenure.records.harm import Alarm, Compared, Detector, Memory, Point, Reference
from tenure.records.measured import CalibrationPoint, Figure, Line, Measured, Metric
from tenure.records.profiles import CategoricalProfile, Judged, NumericProfile, Profile
from tenure.records.service_levels import MINUTE_US, ServiceSample
from tenure.records.weaknesses import GroupCondition, WeakSegment
from tenure.records.windows import Confusion, DriftOfColumn, Interval, Segment, Window
from tenure.serving.figures import bucket

from datetime import datetime  # isort: skip

START = instant_of(datetime(2013, 2, 1))
NUMERIC = {
    "distance": (1040, 700),
    "temp": (55, 18),
    "wind_speed": (10.5, 5.2),
    "humid": (62, 19),
    "plane_age": (11, 7),
}
CATEGORICAL = {"carrier": ["UA", "B6", "EV", "DL", "AA", "MQ", "US", "9E", "WN"], "origin": ["EWR", "JFK", "LGA"]}
COLUMNS = [*NUMERIC, "sched_hour", *CATEGORICAL]


def interval(value: float, half: float) -> Interval:
    return Interval(value=value, low=value - half, high=value + half)


def make_numeric(mean: float, deviation: float, rows: int = 27_004, seed: int = 1, bins: int = 256) -> NumericProfile:
    dice = random.Random(seed)
    values = sorted(dice.gauss(mean, deviation) for _ in range(4000))
    edges = [values[len(values) * index // bins] for index in range(1, bins)]
    return NumericProfile(
        edges=edges,
        counts=[rows // bins] * bins,
        n=rows,
        mean=mean,
        m2=deviation**2 * rows,
        min=values[0],
        max=values[-1],
    )


def make_categorical(levels: list[str], rows: int = 27_004, seed: int = 1) -> CategoricalProfile:
    weights = [1 / (index + 1.6) for index in range(len(levels))]
    counts = [int(rows * weight / sum(weights)) for weight in weights]
    return CategoricalProfile(levels=levels, counts=counts, other_count=rows - sum(counts), n=rows)


def make_profile(shift: float = 0.0) -> Profile:
    columns: dict[str, NumericProfile | CategoricalProfile] = {
        name: make_numeric(mean + shift * deviation, deviation, seed=index)
        for index, (name, (mean, deviation)) in enumerate(NUMERIC.items())
    }
    hours = [float(hour) for hour in range(5, 24)]
    counts = [int(2400 * (1 + 0.4 * math.sin(hour / 3))) for hour in hours]
    columns["sched_hour"] = NumericProfile(
        edges=hours[1:], counts=counts, n=sum(counts), mean=13.2, m2=1e6, min=5.0, max=23.0, null_count=120
    )
    for name, levels in CATEGORICAL.items():
        columns[name] = make_categorical(levels)
    return Profile(
        rows=27_004,
        columns=columns,
        score=make_numeric(0.24, 0.12),
        score_of_positives=make_numeric(0.34, 0.14, rows=6400, seed=5),
        score_of_negatives=make_numeric(0.21, 0.10, rows=20_600, seed=6),
        judged=Judged(
            rows=5_400,
            positives=1_290,
            roc_auc=0.742,
            roc_auc_low=0.728,
            roc_auc_high=0.756,
            brier=0.158,
            value_per_row=0.41,
        ),
    )


def make_window(week: int, version: int, role: str = "champion", *, auc: float, dice: random.Random) -> Window:
    start = START + 7 * week * DAY_US
    rows = int(6_300 + 500 * math.sin(week / 5) + dice.gauss(0, 180))
    rate = 0.24 + 0.08 * math.sin((week - 14) / 5.2) + dice.gauss(0, 0.012)
    late = week >= 46
    summer = max(0.0, math.sin((week - 8) / 11))
    return Window(
        endpoint="flight-delay",
        model="flight-delay",
        version=version,
        role=role,  # type: ignore[arg-type]  # the samples' own roles
        start_at=start,
        end_at=start + 7 * DAY_US,
        predictions=rows,
        outcomes=int(rows * (0.55 if late else 0.985)),
        maturity=0.55 if late else 0.985,
        provisional=late,
        mean_score=0.245 + dice.gauss(0, 0.006),
        event_rate=interval(rate, 0.011),
        roc_auc=interval(auc + dice.gauss(0, 0.008), 0.0145),
        brier=interval(0.165, 0.004),
        calibration_gap=interval(0.245 - rate, 0.011),
        confusion=Confusion(true_positive=520, false_positive=410, false_negative=990, true_negative=4380),
        value=interval(1900 * (auc - 0.63) / 0.1 + dice.gauss(0, 150), 420),
        value_per_prediction=interval(0.3 * (auc - 0.63) / 0.1, 0.07),
        latency_p50_ms=2.9 + dice.gauss(0, 0.15),
        latency_p99_ms=8.4 + abs(dice.gauss(0, 1.1)),
        drift=[make_drift(name, index, summer, dice, rows) for index, name in enumerate(COLUMNS)],
        drift_state="breach" if summer > 0.4 else "ok",
        accuracy_state="breach" if auc < 0.67 else "ok",
        calibration_state="ok",
        profile=None,
        latency_state="breach" if week == 51 else "ok",
        requests=rows,
        segments=[
            Segment(
                column="carrier",
                value="UA",
                predictions=rows // 3,
                outcomes=rows // 4,
                roc_auc=interval(auc, 0.03),
                event_rate=interval(rate, 0.02),
            )
        ],
        estimated=None if role == "shadow" else make_estimation(auc, rate, known=not late),
        measured=make_measured(auc, rows),
        arrival=Arrival(
            lags=[rows],
            median_h=20.0,
            p90_h=31.0,
            early=3,
            final_share=0.98,
            expected=rows * 0.97,
            by_age_h=24.0,
            share=0.6,
            usual=0.62,
        ),
        weakest=[
            WeakSegment(
                conditions=[GroupCondition(column="carrier", level="HA"), GroupCondition(column="temp", low=25.0)],
                said="carrier is HA and temp is 25 or more",
                loss_kind="brier",
                rows=640,
                tested=318,
                loss=0.24,
                loss_of_others=0.16,
                excess=0.08,
                low=0.05,
                high=0.11,
                q_value=0.0004,
            )
        ],
    )


def make_estimation(auc: float, rate: float, *, known: bool) -> Estimation:
    """Ranking is estimated well, how often flights are late is not: its rate moves."""
    return Estimation(
        method="weighted",
        predictions=6_300,
        reference_rows=10_000,
        reference_from_at=START,
        effective_rows=7_200.0,
        estimates=[
            Estimate(metric="roc_auc", value=auc, low=auc - 0.02, high=auc + 0.02, truth=auc if known else None),
            Estimate(
                metric="event_rate",
                value=0.24,
                low=0.23,
                high=0.25,
                reason="" if known else "past estimates missed what came true too often",
                truth=rate if known else None,
            ),
        ],
    )


def make_measured(auc: float, rows: int) -> Measured:
    def figure(metric: Metric, value: float) -> Figure:
        return Figure(metric=metric, value=value, low=value - 0.01, high=value + 0.01, n=rows)

    points = [index / 10 for index in range(11)]
    return Measured(
        task="binary",
        outcomes=rows,
        figures=[figure("roc_auc", auc), figure("pr_auc", 0.41), figure("f1", 0.38), figure("log_loss", 0.51)],
        left_out=2,
        roc=Line(x=points, y=[point**0.5 for point in points]),
        precision_recall=Line(x=points, y=[1 - 0.7 * point for point in points]),
        calibration=[
            CalibrationPoint(n=rows // 5, said=point, happened=point * 0.9, low=point * 0.8, high=point)
            for point in (0.1, 0.2, 0.3, 0.5)
        ],
    )


def make_drift(name: str, index: int, summer: float, dice: random.Random, rows: int) -> DriftOfColumn:
    effect = {"temp": 1.7, "humid": 0.5, "wind_speed": 0.25, "sched_hour": 0.08}.get(name, 0.02)
    excess = max(0.0, effect * summer + dice.gauss(0.004, 0.008))
    return DriftOfColumn(
        column=name,
        psi=excess + 0.03,
        psi_excess=excess,
        p_value=1e-9 if excess > 0.05 else 0.3,
        q_value=1e-8 if excess > 0.05 else 0.45,
        floor=0.1,
        n_baseline=27_004,
        n_window=rows,
        new_level_share=0.0 if index > 5 else None,
        state="breach" if excess > 0.1 else "ok",
    )


def make_year(weeks: int = 47) -> list[Window]:
    """Version 1 decays until week 22, when version 2 takes over after two weeks in the shadow; version 3 in week 36."""
    dice = random.Random(7)
    windows = []
    for week in range(weeks):
        version = 1 if week < 22 else 2 if week < 36 else 3
        since = week - {1: 0, 2: 22, 3: 36}[version]
        windows.append(make_window(week, version, auc=(0.735 if version == 1 else 0.752) - 0.0042 * since, dice=dice))
        if week in (20, 21):
            windows.append(make_window(week, 2, "shadow", auc=0.751, dice=dice))
        if week in (34, 35):
            windows.append(make_window(week, 3, "shadow", auc=0.758, dice=dice))
    return windows


def make_drift_report(week: int = 46, text: str = "temp") -> DriftReport:
    """Of one window, against all three references: `text` has moved, `humid` has not, nothing is known of a season."""
    start = START + 7 * week * DAY_US
    columns = [
        _column_drift(text, 0.42, [100, 100, 100, 100], [10, 40, 120, 230], 0.6),
        _column_drift("humid", 0.01, [100, 100, 100, 100], [98, 101, 99, 102], 0.4),
    ]
    return DriftReport(
        endpoint="flight-delay",
        model="flight-delay",
        version=3,
        role="champion",
        start_at=start,
        end_at=start + 7 * DAY_US,
        rows=6_300,
        level=0.02,
        floor=0.1,
        comparisons=[
            Comparison(against="training", state="breach", columns=columns, weighted_drift=0.25),
            Comparison(
                against="previous",
                state="ok",
                reference_from_at=start - 7 * DAY_US,
                reference_until_at=start,
                columns=columns[1:],
            ),
            Comparison(against="season", state="not_enough_data", reason=f"There is no past window of {text} yet."),
        ],
        unseen=[
            Unseen(
                column=text,
                what="new_levels",
                count=63,
                n=6_300,
                share=0.01,
                low=0.0077,
                high=0.0128,
                names=[NewLevel(level=text, count=60)],
            ),
            Unseen(
                column="humid",
                what="out_of_range",
                count=630,
                n=6_300,
                share=0.1,
                low=0.093,
                high=0.107,
                from_low=12.0,
                from_high=100.0,
            ),
        ],
        schema=[SchemaBreach(column=text, problem="missing", words=f"Column {text!r} is in none of 6,300 rows.")],
        together=[
            Together(
                name="domain_classifier",
                state="breach",
                value=0.71,
                threshold=0.6,
                p_value=1e-30,
                level=0.01,
                n_reference=4_000,
                n_current=4_000,
                words=f"A classifier tells rows apart by {text!r}.",
                telling=[Telling(column=text, share=0.8)],
            )
        ],
        together_reason="Compared with rows of the version's first window here.",
    )


def _column_drift(name: str, psi: float, before: list[int], now: list[int], importance: float) -> ColumnDrift:
    def line(what: str, value: float, kind: str, threshold: float, p: float | None) -> Statistic:
        return Statistic(
            name=what,
            value=value,
            kind=kind,  # type: ignore[arg-type]  # one of its two words
            direction="above" if kind == "distance" else "below",
            threshold=threshold,
            n_reference=27_004,
            n_current=6_300,
            p_value=p,
            q_value=p,
        )

    p_value = 1e-12 if psi > 0.1 else 0.4
    return ColumnDrift(
        column=name,
        kind="numeric",
        state="breach" if psi > 0.1 else "ok",
        words="Moved: the mean went from 55 to 71." if psi > 0.1 else "No change.",
        statistics=[
            line("psi", psi, "distance", 0.102, p_value),
            line("ks", psi / 2, "test", 0.02, p_value),
            line("wasserstein", psi * 2, "distance", 0.1, None),
        ],
        reference_bins=before,
        current_bins=now,
        importance=importance,
    )


def make_service(until: int, step: int = 10) -> list[ServiceSample]:
    """A day of one gateway: more by day than by night, an hour of failures, minutes that are slow."""
    dice = random.Random(12)
    made = []
    first = (until // MINUTE_US - 24 * 60) * MINUTE_US
    for place in range(0, 24 * 60, step):
        at, hour = first + place * MINUTE_US, place / 60
        answered = round(900 + 700 * math.sin((hour - 6) / 24 * 2 * math.pi) + dice.gauss(0, 40))
        failed = 45 if 9 <= hour < 9.4 else 0
        slow = round(answered * (0.03 if 15 <= hour < 17 else 0.002))
        common = {"gateway": "gateway 0190.1", "at": at}
        cpu_us = round(answered * 420 + dice.gauss(0, 9000)) + 30_000
        made += [
            ServiceSample(
                **common,
                endpoint="flight-delay",
                version=2,
                role="champion",
                objective_us=50_000,
                answered=answered,
                slow=slow,
                rows=answered * 2,
                sent_bytes=answered * 480,
                latency={bucket(3_100): answered - slow - 40, bucket(9_000): 40, bucket(70_000): slow},
                answers="gateway",
            ),
            ServiceSample(**common, endpoint="flight-delay", version=0, role="", failed=failed, refused=3),
            ServiceSample(
                **common,
                endpoint="",
                version=0,
                role="",
                answered=answered + failed + 3,
                cpu_us=cpu_us,
                cpu_requests=answered + failed + 3,
                answers="gateway",
            ),
        ]
    return made


def make_alert(**changes: object) -> Alert:
    end = START + 20 * 7 * DAY_US
    known: dict[str, object] = {
        "alert_id": "0190b5a0-0000-7000-8000-000000000001",
        "endpoint": "flight-delay",
        "monitor": "accuracy",
        "subject": "roc_auc",
        "state": "firing",
        "severity": "critical",
        "message": "AUC of version 1 is proven below 0.712: 0.655 (0.640 to 0.670) on 6,180 outcomes.",
        "evidence": Evidence(
            measure="roc_auc",
            value=0.655,
            threshold=0.712,
            direction="below",
            p_value=2e-7,
            level=0.0004,
            n_baseline=5_400,
            n_window=6_180,
            window_start_at=end - 7 * DAY_US,
            window_end_at=end,
            version=1,
        ),
        "event_at": end,
        "opened_at": end,
        "changed_at": end,
    }
    return Alert(**{**known, **changes})  # type: ignore[arg-type]  # the test names the fields


def make_features() -> MeasuredFeatures:
    """Every column measured; `origin` costs much for nothing, `sched_hour` matters most."""
    worth = {"sched_hour": 0.081, "temp": 0.034, "carrier": 0.021, "humid": 0.012, "origin": 0.0}
    return MeasuredFeatures(
        rows=1000,
        method=ImportanceMethod(name="permutation", scoring="roc_auc", rows=1000, repeats=5, score=0.742),
        notes=["Features that tell the same share their importance."],
        features=[
            MeasuredFeature(
                name=name,
                kind="numeric" if name in NUMERIC else "categorical",
                computing=Cost(wall_s=2.5, cpu_s=2.4, calls=3, rows=27_004, memory_bytes=9_000_000, traced=True)
                if name == "wind_speed"
                else None,
                preparing=Cost(
                    wall_s=0.09 if name == "origin" else 0.0002, cpu_s=0.001, calls=1, rows=1000, memory_bytes=16_000
                ),
                importance=Importance(value=(value := worth.get(name, -0.001)), low=value - 0.008, high=value + 0.008),
            )
            for name in COLUMNS
        ],
    )


def at(week: int) -> Instant:
    return Instant(START + 7 * week * DAY_US)


def make_detectors() -> list[Detector]:
    """One that fired in week 20, with another beside it; one that is quiet; one that still learns."""
    brier = Reference(source="baseline", rows=6_000, mean=0.131, deviation=0.18, bound=0.136, mu0=0.142)
    fired = Detector(
        endpoint="flight-delay",
        model="flight-delay",
        version=1,
        detector="brier",
        state="firing",
        consumed_until=at(21),
        outcomes=90_000,
        run_length=400_000.0,
        reference=brier,
        alarm=Alarm(
            at=at(20),
            began_at=at(18),
            rows=4_321,
            mean=0.171,
            low=0.165,
            high=0.177,
            reference=0.131,
            statistic=412_000.0,
            threshold=400_000.0,
        ),
        memory=Memory(rows=90_000, total=12_000.0, squares=3_000.0),
        points=[Point(at=at(week), statistic=min(week / 3.4, 7.0), threshold=5.6) for week in range(21)],
        compared=[
            Compared(detector="adwin", alarms_at=[at(12), at(19)], rows=50_000),
            Compared(detector="page-hinkley", problem="river is not installed: pip install 'tenure[compare]'"),
        ],
    )
    value = Reference(
        source="first outcomes", rows=2_000, mean=0.4, deviation=0.2, bound=0.41, mu0=0.43, low=-20.0, high=30.0
    )
    quiet = Detector(
        endpoint="flight-delay",
        model="flight-delay",
        version=2,
        detector="value",
        state="watching",
        run_length=400_000.0,
        reference=value,
        memory=Memory(rows=9_000, total=3_600.0, squares=1_800.0),
        points=[Point(at=at(week), statistic=1.5, threshold=5.6) for week in range(30, 40)],
    )
    return [fired, quiet, Detector(endpoint="flight-delay", model="flight-delay", version=3, detector="error")]
