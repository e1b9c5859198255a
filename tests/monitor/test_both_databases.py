"""The whole way from the journal to an alert, on SQLite and on Postgres."""

from __future__ import annotations

from tenure.monitor import alerts, progress, report, windows
from tenure.records.base import DAY_US
from tenure.store.ground import Ground

from .test_watch import baseline, days, file_with
from .year import ENDPOINT, START, Traffic


def test_a_fortnight_goes_from_the_journal_to_windows_alerts_and_a_report(each_ground: Ground) -> None:
    traffic = Traffic(each_ground)
    traffic.apply(file_with(value="case when action and y then 1 else 0 end"))
    baseline(traffic)
    days(traffic, 0, 10, shift=1.5)
    traffic.tell(["ref:nobody", "ref:nobody"], [1.0, 0.0])
    traffic.look()
    traffic.judge()
    days(traffic, 10, 15)
    traffic.look()
    traffic.judge()
    with each_ground.database.reading() as tx:
        assert [window.predictions for window in windows.search(tx, ENDPOINT, role="champion")] == [2100, 2100]
        assert [one.state for one in alerts.search(tx, endpoint=ENDPOINT)] == ["firing"]
    told = progress.of(each_ground, ENDPOINT)
    assert (told.predictions, told.outcomes, told.outcomes_waiting, told.outcomes_conflicting) == (4500, 4500, 1, 1)
    assert told.monitored_until == START + 14 * DAY_US
    [month] = report.by_month(each_ground, ENDPOINT)
    assert (month.predictions, month.outcomes) == (4500, 4500)
    traffic.close()
