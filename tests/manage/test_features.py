from __future__ import annotations

from tenure.build.features import Measured
from tenure.manage import features
from tenure.records.facts import FeatureFact
from tenure.records.features import Cost, Importance, MeasuredFeature, MeasuredFeatures
from tenure.records.model_files import Feature, ModelFile


def measured(name: str, ms: float | None, *worth: float) -> MeasuredFeature:
    cost = None if ms is None else Cost(wall_s=ms / 1000, cpu_s=0.0, calls=1, rows=1000)
    importance = None if not worth else Importance(value=worth[0], low=worth[0] - 0.1, high=worth[0] + 0.1)
    return MeasuredFeature(name=name, kind="numeric", preparing=cost, importance=importance)


def declared(**given: Feature) -> ModelFile:
    return ModelFile(model="m", purpose="p", owner="o", features=given)


def asked(name: str, because: str = "") -> FeatureFact:
    return FeatureFact(
        name=name,
        type="double",
        declared=True,
        available="at_scoring",
        kind=None,
        semantic=None,
        source=None,
        forbidden=bool(because),
        forbidden_because=because,
    )


def told(*found: MeasuredFeature, file: ModelFile | None = None, inputs: tuple[FeatureFact, ...] = ()) -> str:
    return features.table(Measured(MeasuredFeatures(features=list(found))), inputs, file).sentence


CHEAP = [measured(f"cheap_{number}", 1.0, 0.5) for number in range(8)]


def test_what_was_measured_stands_beside_what_is_declared() -> None:
    file = declared(wind=Feature(kind="numeric", source="weather", freshness_minutes=60))
    found = Measured(MeasuredFeatures(features=[measured("extra", 1.0), measured("wind", 2.0, 0.3)]), "", True)
    table = features.table(found, [asked("wind"), asked("day")], file)
    assert [row.name for row in table.features] == ["wind", "day", "extra"]
    wind, day, extra = table.features
    assert (wind.at_scoring, wind.source, wind.freshness_minutes, wind.ms_per_1000_rows) == (True, "weather", 60, 2.0)
    assert (day.kind, day.at_scoring, day.ms_per_1000_rows) == ("double", None, None)
    assert extra.available is None
    assert table.is_pinned is True


def test_a_feature_that_matters_and_comes_too_late_stands_out() -> None:
    file = declared(dep_delay=Feature(available="after_departure"))
    late = measured("dep_delay", 1.0, 0.4)
    assert told(*CHEAP, late, file=file) == "'dep_delay' matters but is not known at scoring."
    assert "stands out" in told(*CHEAP, measured("dep_delay", 1.0, 0.05), file=file), "its interval reaches zero"


def test_a_feature_that_costs_much_for_nothing_stands_out() -> None:
    assert told(*CHEAP, measured("slow", 24.0, 0.05)) == "'slow' takes 75% of the time and cannot be told from useless."
    assert "stands out" in told(*CHEAP, measured("slow", 24.0, 0.5)), "it is worth its cost"
    assert "stands out" in told(*CHEAP, measured("slow", 1.2, 0.0)), "it costs little"
    assert "stands out" in told(*CHEAP, measured("slow", 24.0)), "nobody knows what it is worth"


def test_a_forbidden_feature_that_matters_stands_out() -> None:
    inputs = (asked("age", "policy P-12"),)
    assert told(*CHEAP, measured("age", 1.0, 0.4), inputs=inputs) == "'age' matters but is forbidden."


def test_nothing_measured_is_said() -> None:
    assert told(inputs=(asked("a"),)) == "Nothing was measured."
    assert told() == "Nothing was measured."


def test_without_intervals_a_hundredth_of_all_importance_counts_as_nothing() -> None:
    def worth(value: float) -> MeasuredFeature:
        return MeasuredFeature(
            name=f"f{value}",
            preparing=Cost(wall_s=10.0 if value < 0.1 else 1.0, cpu_s=0, calls=1, rows=10),
            importance=Importance(value=value),
        )

    assert "'f0.001' takes" in told(worth(0.001), *(worth(1.0 + number) for number in range(6)))
