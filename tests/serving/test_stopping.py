"""The kill switch at a real gateway: what stops, how soon, and what answers instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tenure.records.frames import PredictionFrame
from tenure.records.kills import Case, Constant, Rule, Stopped
from tenure.records.routing import Release
from tenure.serving import routing

from .conftest import Gateway, act, release, table, wait_until

Make = Callable[..., Gateway]
ALL, FIRST = Stopped(version=None, reason="it answers nonsense"), Stopped(version=1, reason="it answers nonsense")


def publish(gateway: Gateway, *releases: Release, **changes: Any) -> None:
    """A table with one endpoint `e`, taken up before this returns."""
    gateway.epoch += 1
    made = table(gateway.epoch, e=list(releases))
    route = msgspec.structs.replace(made.routes["e"], **changes)
    routing.write_table(gateway.folder, msgspec.structs.replace(made, routes={"e": route}))
    wait_until(lambda: epoch_of(gateway) >= gateway.epoch, "the table is taken up", 5)


def epoch_of(gateway: Gateway) -> int:
    return max((status.epoch for status in routing.read_statuses(gateway.folder)), default=-1)


@pytest.fixture
def serving(gateway: Make, tricky_folder: Path) -> tuple[Gateway, Release]:
    started, champion = gateway(), release(tricky_folder)
    publish(started, champion)
    started.serves(champion.release_id)
    assert started.score("e", act("echo")).status_code == 200
    return started, champion


def test_what_is_stopped_answers_no_more_and_says_so(serving: tuple[Gateway, Release]) -> None:
    gateway, champion = serving
    for stopped in (ALL, FIRST):
        publish(gateway, champion, stopped=[stopped])
        refused = gateway.score("e", act("echo"))
        assert refused.status_code == 503
        assert refused.headers["retry-after"]
        assert "stopped on purpose" in refused.json()["message"]
        assert "nonsense" not in refused.text
    publish(gateway, champion)
    assert gateway.score("e", act("echo")).status_code == 200


def test_a_constant_or_a_rule_answers_instead_and_is_journaled_as_such(serving: tuple[Gateway, Release]) -> None:
    gateway, champion = serving
    publish(gateway, champion, stopped=[ALL], fallback=Constant(answer={"late": None}))
    told = gateway.score("e", act("echo"))
    assert told.json() == {"predictions": [{"late": None}]}
    assert (told.headers["tenure-fallback"], told.headers["tenure-model-version"]) == ("true", "0")
    big = Case(column="number", op=">", values=[10], answer=0.9)
    publish(gateway, champion, stopped=[ALL], fallback=Rule(cases=[big], otherwise=0.1))
    assert [gateway.score("e", act("echo", number)).json()["predictions"] for number in (11, 9)] == [[0.9], [0.1]]
    frames = [frame for frame in gateway.frames() if isinstance(frame, PredictionFrame) and frame.role == "fallback"]
    assert [(frame.version, frame.score) for frame in frames] == [(0, [None]), (0, [0.9]), (0, [0.1])]


def test_another_version_answers_instead_from_the_first_request_on(
    serving: tuple[Gateway, Release], tricky_folder: Path
) -> None:
    gateway, champion = serving
    spare = release(tricky_folder, 2, "fallback")
    publish(gateway, champion, spare=spare)
    publish(gateway, champion, spare=spare, stopped=[FIRST])
    told = wait_until(lambda: answered(gateway), "the spare answers")
    assert told == 2
    publish(gateway, champion, spare=spare, stopped=[FIRST, Stopped(version=2, reason="too")])
    assert gateway.score("e", act("echo")).status_code == 503


def answered(gateway: Gateway) -> int:
    told = gateway.score("e", act("echo"))
    return int(told.headers["tenure-model-version"]) if told.status_code == 200 else 0


def test_a_stopped_challenger_leaves_its_share_to_the_champion(
    serving: tuple[Gateway, Release], tricky_folder: Path
) -> None:
    gateway, champion = serving
    challenger = release(tricky_folder, 2, "challenger", share=0.5)
    publish(gateway, champion, challenger)
    gateway.serves(challenger.release_id)
    keys = [f"customer-{number}" for number in range(20)]

    def versions() -> list[int]:
        told = [gateway.score("e", act("echo"), tenure_routing_key=key) for key in keys]
        return [int(one.headers["tenure-model-version"]) for one in told]

    before = versions()
    assert {1, 2} == set(before)
    publish(gateway, champion, challenger, stopped=[Stopped(version=2, reason="it lies")])
    assert set(versions()) == {1}
    publish(gateway, champion, challenger)
    assert versions() == before


def test_a_replaced_champion_stays_warm_so_that_going_back_takes_no_start(
    serving: tuple[Gateway, Release], tricky_folder: Path
) -> None:
    gateway, first = serving
    second = release(tricky_folder, 2)
    publish(gateway, second)
    gateway.serves(second.release_id)
    wait_until(lambda: answered(gateway) == 2, "the second answers")
    publish(gateway, first)
    assert answered(gateway) == 1


def test_a_shadow_sees_its_part_of_the_requests(serving: tuple[Gateway, Release], tricky_folder: Path) -> None:
    gateway, champion = serving
    shadow = release(tricky_folder, 2, "shadow", share=0.3)
    publish(gateway, champion, shadow)
    gateway.serves(shadow.release_id)
    for _ in range(60):
        gateway.score("e", act("echo"))
    gateway.stop()
    mirrored = [frame for frame in gateway.frames() if isinstance(frame, PredictionFrame) and frame.role == "shadow"]
    assert 3 <= len(mirrored) <= 40  # of 60, outside of this less than once in a million


def test_a_request_may_name_the_version_that_answers(serving: tuple[Gateway, Release], tricky_folder: Path) -> None:
    gateway, champion = serving
    challenger = release(tricky_folder, 2, "challenger", share=0.01)
    publish(gateway, champion, challenger)
    gateway.serves(challenger.release_id)
    told = [gateway.score("e", act("echo"), tenure_version=version) for version in ("1", "2", "3")]
    assert [one.headers.get("tenure-model-version") for one in told] == ["1", "2", None]
    assert told[2].status_code == 404


def test_two_gateways_share_a_port_and_both_follow_a_kill(gateway: Make, tricky_folder: Path) -> None:
    first = gateway(gateways=2)
    second = Gateway(first.folder, first.settings.scoring_port, light=True, name="gateway-2", gateways=2)
    champion = release(tricky_folder)
    try:
        second.start()
        publish(first, champion)

        def follow() -> list[str]:
            found = routing.read_statuses(first.folder)
            return sorted(status.gateway for status in found if status.epoch == first.epoch)

        wait_until(lambda: follow() == ["gateway", "gateway-2"], "both follow")
        wait_until(lambda: all(first.score("e", act("echo")).status_code == 200 for _ in range(20)), "both serve")
        publish(first, champion, stopped=[ALL])
        wait_until(lambda: follow() == ["gateway", "gateway-2"], "both follow the kill")
        assert {first.score("e", act("echo")).status_code for _ in range(20)} == {503}
        wrote = {frame.prediction_id for frame in first.frames() if isinstance(frame, PredictionFrame)}
        assert len(wrote) >= 20
    finally:
        second.close()
