"""Endpoints journal everything, a sample, or whatever the disk takes; a real gateway process."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from tenure.records.frames import PredictionFrame
from tenure.records.journaling import JournalMode
from tenure.serving import routing

from .conftest import Gateway, act, release, table, wait_until

Make = Callable[..., Gateway]


def journal_as(gateway: Gateway, folder: Path, mode: JournalMode, *others: object) -> None:
    champion = release(folder)
    gateway.epoch += 1
    made = table(gateway.epoch, delay=[champion, *others])
    route = msgspec.structs.replace(made.routes["delay"], journal=mode)
    routing.write_table(gateway.folder, msgspec.structs.replace(made, routes={"delay": route}))
    gateway.serves(champion.release_id)


def kept(gateway: Gateway) -> list[PredictionFrame]:
    return [frame for frame in gateway.frames() if isinstance(frame, PredictionFrame)]


def test_a_sample_is_chosen_by_the_id_and_each_row_says_its_fraction(gateway: Make, tricky_folder: Path) -> None:
    running = gateway()
    journal_as(running, tricky_folder, JournalMode(mode="sample", fraction=0.5))
    ids = [running.score("delay", act("echo")).headers["tenure-prediction-id"] for _ in range(60)]
    chosen = [one for one in ids if routing.place_of("sample", one) < 0.5]
    assert 0 < len(chosen) < 60
    frames = kept(running)
    assert [frame.prediction_id for frame in frames] == chosen
    assert {frame.sampled for frame in frames} == {0.5}
    told = metrics(running)["tenure_unjournaled"]
    assert told == {(("endpoint", "delay"), ("why", "not sampled")): 60.0 - len(chosen)}


def test_with_drop_and_count_the_answer_leaves_without_a_journal(gateway: Make, tricky_folder: Path) -> None:
    running = gateway(segment_seal_s=0.2)
    journal_as(running, tricky_folder, JournalMode(mode="drop-and-count"))
    assert running.score("delay", act("echo")).status_code == 200
    refuse_writes(running)
    assert running.score("delay", act("echo")).status_code == 200
    assert len(kept_before(running)) == 1
    status = wait_until(
        lambda: [one for one in routing.read_statuses(running.folder) if one.unjournaled], "the status tells of it"
    )
    assert status[0].unjournaled == {"delay": {"dropped": 1}}
    journal_as(running, tricky_folder, JournalMode())
    refused = running.score("delay", act("echo"))
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"


def refuse_writes(running: Gateway) -> None:
    """Take the journal's folder away, so that no new segment can be begun; the one that is open is sealed first."""
    folder = running.folder / "journal" / "gateway"
    wait_until(lambda: not list(folder.glob("*.open")), "the segment is sealed")
    folder.rename(running.folder / "gone")


def kept_before(running: Gateway) -> list[PredictionFrame]:
    shutil.copytree(running.folder / "gone", running.folder / "journal" / "copy")
    return kept(running)


def test_a_challenger_says_with_which_probability_it_answered(gateway: Make, tricky_folder: Path) -> None:
    running = gateway()
    challenger = release(tricky_folder, 2, "challenger", share=0.25)
    journal_as(running, tricky_folder, JournalMode(), challenger)
    running.serves(challenger.release_id)
    for number in range(40):
        running.score("delay", act("echo"), tenure_routing_key=str(number))
    running.score("delay", act("echo"), tenure_version="2")
    frames = kept(running)
    assert {(frame.role, frame.propensity) for frame in frames[:-1]} == {("champion", 0.75), ("challenger", 0.25)}
    assert (frames[-1].version, frames[-1].propensity) == (2, 1.0)


def metrics(running: Gateway) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    answer = httpx.get(running.url + "/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        family.name: {tuple(sorted(one.labels.items())): one.value for one in family.samples}
        for family in text_string_to_metric_families(answer.text)
    }


def test_metrics_tell_of_requests_versions_and_the_journal(gateway: Make, tricky_folder: Path) -> None:
    running = gateway()
    journal_as(running, tricky_folder, JournalMode())
    for _ in range(3):
        running.score("delay", act("echo"))
    assert running.score("delay", b"{").status_code == 400
    assert running.score("nobody-has-this", act("echo")).status_code == 404
    told = metrics(running)
    served = (("endpoint", "delay"), ("role", "champion"), ("version", "1"))
    assert told["tenure_requests"] == {
        (*served[:2], ("status", "200"), served[2]): 3.0,
        (("endpoint", "delay"), ("role", ""), ("status", "400"), ("version", "")): 1.0,
        (("endpoint", ""), ("role", ""), ("status", "404"), ("version", "")): 1.0,
    }
    assert told["tenure_rows"] == {served: 3.0}
    assert told["tenure_journal_frames"] == {(("process", "gateway"),): 3.0}
    assert told["tenure_requests_in_flight"] == {(): 0.0}
    [resident] = told["tenure_scorer_resident_bytes"].values()
    assert resident > 1_000_000
    assert told["tenure_scorer_batched_requests"] == {(("model", "tricky"), ("version", "1")): 3.0}
    assert "nobody-has-this" not in httpx.get(running.url + "/metrics").text
    service = wait_until(
        lambda: [one for status in routing.read_statuses(running.folder) for one in status.service], "it tells"
    )
    assert (service[0].endpoint, service[0].version) == ("delay", 1)
