"""The table that gateways route by, and who answers which key."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from tenure.errors import Unavailable
from tenure.records.routing import GatewayStatus, Release, RoutingTable
from tenure.serving import routing


def arm(role: str, version: int, share: float = 0.0) -> Release:
    given = {"release_id": str(version), "model": "m", "version": version, "role": role, "share": share}
    return msgspec.convert(given | {"location": "", "digest": "", "files": [], "inputs": []}, Release)


def test_a_table_is_read_as_it_was_written_and_its_epoch_is_seen_at_once(tmp_path: Path) -> None:
    reader = routing.EpochReader(tmp_path)
    assert (reader.epoch(), routing.read_table(tmp_path)) == (0, routing.EMPTY)
    for epoch in (1, 2**40):
        table = RoutingTable(epoch=epoch, routes={})
        routing.write_table(tmp_path, table)
        assert (reader.epoch(), routing.read_table(tmp_path)) == (epoch, table)
    reader.close()


def test_only_gateways_that_live_are_believed(tmp_path: Path) -> None:
    assert routing.read_statuses(tmp_path) == []
    alive = GatewayStatus(gateway="a", pid=os.getpid(), epoch=3, releases=[], written_at=1)
    routing.write_status(tmp_path, alive)
    routing.write_status(tmp_path, GatewayStatus(gateway="b", pid=2**22 + 1, epoch=3, releases=[], written_at=1))
    assert routing.read_statuses(tmp_path) == [alive]


def test_a_disk_that_refuses_is_said_in_our_words(tmp_path: Path) -> None:
    (tmp_path / "routing").write_text("a file where a folder must be")
    with pytest.raises(Unavailable):
        routing.write_table(tmp_path, routing.EMPTY)


def test_the_same_key_gets_the_same_arm_and_shares_are_kept() -> None:
    arms = [arm("champion", 1), arm("challenger", 2, 0.2), arm("challenger", 3, 0.1)]
    counted = Counter(routing.choose_arm("e", arms, f"key-{k}").version for k in range(20_000))
    assert counted[2] / 20_000 == pytest.approx(0.2, abs=0.015)
    assert counted[3] / 20_000 == pytest.approx(0.1, abs=0.015)
    assert {routing.choose_arm("e", arms, "key-7").version for _ in range(5)} == {
        routing.choose_arm("e", arms, "key-7").version
    }


def test_another_endpoint_shuffles_anew() -> None:
    both = [(routing.place_of("a", str(k)) < 0.5, routing.place_of("b", str(k)) < 0.5) for k in range(4000)]
    assert sum(one == other for one, other in both) / 4000 == pytest.approx(0.5, abs=0.05)


def test_all_of_the_traffic_may_go_to_a_challenger() -> None:
    arms = [arm("champion", 1), arm("challenger", 2, 1.0)]
    assert {routing.choose_arm("e", arms, str(k)).version for k in range(200)} == {2}
