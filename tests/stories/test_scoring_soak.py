"""The soak of `benchmarks/soak.py`, short: whoever dies, what was answered is journaled, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import soak

pytest.importorskip("grpc")


@pytest.mark.slow
def test_twenty_seconds_of_every_protocol_while_releases_switch_and_processes_die(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soak, "KILL_S", 3.0)
    monkeypatch.setattr(soak, "BATCH_S", 8.0)
    done, found = soak.soaked(tmp_path, 20.0)
    assert found == dict.fromkeys(found, 0), (done.surprises, done.seen)
    assert len(done.answered) > 200
    assert done.kills.total() >= 1
    assert done.done["switch"] >= 2
    assert {protocol for protocol, _ in done.answered_at} == set(soak.PROTOCOLS)
