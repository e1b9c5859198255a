"""Samples of a gateway's service: everything that was counted is in one sample, and none of it twice."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tenure.records.base import SECOND_US, Instant
from tenure.records.service_levels import MINUTE_US, ServiceSample
from tenure.serving import figures, routing, samples
from tenure.serving.figures import Figures
from tenure.serving.samples import Sampler

from .conftest import Gateway, act, release, table

NOON = Instant(1_750_000_020_000_000)  # the beginning of a minute


def put_down(folder: Path) -> list[ServiceSample]:
    files = sorted((folder / "service").glob("*.json"))
    return [one for path in files for one in msgspec.json.decode(path.read_bytes(), type=list[ServiceSample])]


def after(minutes: float) -> Instant:
    return Instant(NOON + round(minutes * MINUTE_US))


def test_each_minute_is_a_sample_of_what_came_in_it(tmp_path: Path) -> None:
    sampler, counted = Sampler(tmp_path, "gateway", NOON), Figures()
    counted.promise({"delay": 1_000})
    served = counted.of("delay", "r1", 3, "champion")
    served.answered(900, 2, 10, 20)
    served.answered(5_000, 1, 10, 20)
    counted.refused.update({("delay", 503): 1, ("delay", 400): 4, ("", 404): 2})
    served.refused.update({500: 5, 429: 3})
    served.overloaded += 2
    sampler.keep(counted, {}, after(0.9))
    assert put_down(tmp_path) == []
    sampler.keep(counted, {}, after(1.01))
    served.answered(800, 1, 1, 1)
    sampler.keep(counted, {}, after(2.0))
    first, unanswered, own, second, _ = put_down(tmp_path)
    assert (first.version, first.at, first.answered, first.rows, first.slow) == (3, NOON, 2, 3, 1)
    assert first.latency == {figures.bucket(900): 1, figures.bucket(5_000): 1}
    assert (first.failed, first.overloaded, first.refused) == (5, 2, 1)
    assert (unanswered.version, unanswered.failed, unanswered.overloaded, unanswered.refused) == (0, 1, 0, 4)
    assert (own.endpoint, own.answered, own.answers) == ("", 17, "gateway")
    assert (second.at, second.answered, second.slow, second.said_bytes) == (after(1), 1, 0, 1)
    assert (second.failed, second.overloaded, second.refused) == (0, 0, 0)


def test_a_version_that_answers_nothing_has_samples_of_what_it_failed_at(tmp_path: Path) -> None:
    sampler, counted = Sampler(tmp_path, "gateway", NOON), Figures()
    served = counted.of("delay", "r1", 3, "challenger")
    served.refused[500] += 2
    sampler.keep(counted, {}, after(1))
    mine, own = put_down(tmp_path)
    assert (mine.version, mine.role, mine.answered, mine.failed) == (3, "challenger", 0, 2)
    assert own.answered == 2


def test_a_quiet_minute_leaves_nothing(tmp_path: Path) -> None:
    sampler, counted = Sampler(tmp_path, "gateway", NOON), Figures()
    counted.of("delay", "r1", 3, "champion")
    sampler.keep(counted, {}, after(1))
    assert not (tmp_path / "service").exists()


def test_a_new_promise_cuts_the_minute(tmp_path: Path) -> None:
    sampler, counted = Sampler(tmp_path, "gateway", NOON), Figures()
    served = counted.of("delay", "r1", 3, "champion")
    served.answered(900, 1, 1, 1)
    sampler.cut(counted, {})
    counted.promise({"delay": 500})
    served.answered(900, 1, 1, 1)
    sampler.cut(counted, {})
    served.answered(100, 1, 1, 1)
    sampler.keep(counted, {}, after(1))
    found = [(one.objective_us, one.answered, one.slow) for one in put_down(tmp_path) if one.endpoint]
    assert found == [(0, 1, 0), (500, 2, 1)]


def test_what_a_full_disk_refuses_is_put_down_later(tmp_path: Path) -> None:
    sampler, counted = Sampler(tmp_path, "gateway", NOON), Figures()
    served = counted.of("delay", "r1", 3, "champion")
    served.answered(900, 1, 1, 1)
    (tmp_path / "service").write_text("in the way")
    sampler.keep(counted, {}, after(1))
    (tmp_path / "service").unlink()
    served.answered(900, 1, 1, 1)
    sampler.keep(counted, {}, after(2))
    assert [(one.at, one.answered) for one in put_down(tmp_path) if one.endpoint] == [(NOON, 1), (after(1), 1)]


def test_releases_that_share_a_process_share_its_cpu_by_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used = {os.getpid(): (1.0, 50), 77: (4.0, 90)}
    monkeypatch.setattr(samples, "process_usage", used.get)
    sampler, counted = Sampler(tmp_path, "gateway", NOON), Figures()
    pids = {("a", "r1"): 77, ("b", "r2"): 77}
    sampler.keep(counted, pids, after(1))
    a, b = counted.of("a", "r1", 1, "champion"), counted.of("b", "r2", 1, "champion")
    a.answered(900, 30, 1, 1)
    b.answered(900, 10, 1, 1)
    sampler.keep(counted, pids, after(2))  # the first look at process 77 only says where it stands
    used |= {os.getpid(): (1.5, 60), 77: (4.4, 95)}
    a.answered(900, 30, 1, 1)
    b.answered(900, 10, 1, 1)
    sampler.keep(counted, pids, after(3))
    found = [one for one in put_down(tmp_path) if one.at == after(2)]
    assert [(one.endpoint, one.cpu_us, one.cpu_requests, one.resident_bytes) for one in found] == [
        ("a", 300_000, 1, 95),
        ("b", 100_000, 1, 95),
        ("", 500_000, 2, 60),
    ]
    assert [one.cpu_requests for one in put_down(tmp_path) if one.at == after(1)] == [0, 0, 2]
    assert {one.answers for one in found if one.endpoint} == {"scorer"}


def test_a_clock_that_goes_back_loses_nothing(tmp_path: Path) -> None:
    sampler, counted = Sampler(tmp_path, "gateway", NOON), Figures()
    served = counted.of("delay", "r1", 3, "champion")
    for now in (after(1), Instant(NOON - 30 * SECOND_US), after(1)):
        served.answered(900, 1, 1, 1)
        sampler.keep(counted, {}, now)
    found = [one for one in put_down(tmp_path) if one.endpoint]
    assert sum(one.answered for one in found) == 3
    assert len({(one.gateway, one.at) for one in found}) == 3


def test_a_gateway_puts_down_what_it_answered_and_failed_by_what_was_promised(
    gateway: Callable[..., Gateway], tricky_folder: Path
) -> None:
    """A real process: an objective of a microsecond, which every answer misses, from the second table on."""
    started, champion = gateway(), release(tricky_folder)
    for slow_us in (0, 1):
        made = table(started.epoch + 1, e=[champion])
        started.epoch += 1
        route = msgspec.structs.replace(made.routes["e"], slow_us=slow_us)
        routing.write_table(started.folder, msgspec.structs.replace(made, routes={"e": route}))
        started.serves(champion.release_id)
        said = [started.score("e", act(what)).status_code for what in ("echo", "raise", "echo")]
        assert said == [200, 500, 200]
    assert started.score("e", b"{").status_code == 400
    started.stop()
    found = put_down(started.folder)
    answered = {(one.objective_us, one.slow): one.answered for one in found if one.version}
    assert answered == {(0, 0): 2, (1, 2): 2}
    assert {one.answers for one in found if one.version} == {"scorer"}
    assert sum(one.failed for one in found if one.version == champion.version) == 2
    assert [(one.failed, one.refused) for one in found if one.endpoint == "e" and not one.version] == [(0, 1)]
    assert sum(one.refused for one in found if one.endpoint == "e") == 1
    assert sum(one.answered for one in found if one.endpoint == "") == 7
