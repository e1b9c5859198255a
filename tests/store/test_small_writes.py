"""Small writes run where they are asked for when nobody else is writing, and wait elsewhere when somebody is."""

from __future__ import annotations

import sqlite3
import threading
from typing import Any

import pytest

from tenure.errors import InvalidInput, Unavailable
from tenure.store import experiments
from tenure.store.database import Outcome, Transaction
from tenure.store.ground import Ground


def tagged(ground: Ground) -> dict[str, str]:
    found = ground.database.read(lambda tx: experiments.get(tx, 0))
    assert found is not None
    return {tag.key: tag.value for tag in found.tags}


def tag(key: str) -> Any:
    def work(tx: Transaction) -> str:
        experiments.set_tags(tx, 0, [(key, threading.current_thread().name)])
        return key

    return work


def written(ground: Ground, work: Any) -> Any:
    """As the protocol's faces do it: at once if that needs no waiting, else by the writer's thread."""
    outcomes = ground.database.write_now([work])
    return outcomes[0].answer if outcomes else ground.database.write(work)


def test_a_small_write_runs_at_once_and_is_committed(ground: Ground) -> None:
    assert ground.database.write_now([tag("a")]) == [Outcome("a", None)]
    assert tagged(ground) == {"a": threading.current_thread().name}


def test_while_another_process_writes_a_small_write_does_not_block_its_caller(ground: Ground) -> None:
    other = sqlite3.connect(ground.settings.database.removeprefix("sqlite:///"), isolation_level=None)
    ground.database.write_now([tag("before")])
    other.execute("BEGIN IMMEDIATE")
    assert ground.database.write_now([tag("a")]) is None
    waiting = ground.database.submit(tag("a"))
    assert not waiting.done()
    other.execute("ROLLBACK")
    other.close()

    assert waiting.result(10) == "a"
    assert tagged(ground)["a"] == "tenure-write"
    assert ground.database.write_now([tag("b")]) == [Outcome("b", None)]


@pytest.mark.parametrize("others", [[], ["b", "c"]])
def test_a_refused_small_write_leaves_nothing_and_hurts_nobody(ground: Ground, others: list[str]) -> None:
    def refused(tx: Transaction) -> None:
        tag("a")(tx)
        raise InvalidInput("no")

    outcomes = ground.database.write_now([refused, *(tag(key) for key in others)])
    assert outcomes is not None
    assert isinstance(outcomes[0].failure, InvalidInput)
    assert set(tagged(ground)) == set(others)
    assert ground.database.write_now([tag("d")]) == [Outcome("d", None)]


def test_many_threads_lose_nothing_and_the_log_stays_short(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenure.store.database.CHECKPOINT_ROWS", 1000)

    def write(first: int) -> None:
        for number in range(first, first + 400):
            written(ground, tag(f"k{number}"))

    threads = [threading.Thread(target=write, args=(place * 400,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(tagged(ground)) == 1600
    assert "tenure-write" in tagged(ground).values()


def test_after_the_close_nothing_is_taken(ground: Ground) -> None:
    written(ground, tag("a"))
    ground.database.close()

    assert ground.database.write_now([tag("b")]) is None
    with pytest.raises(Unavailable):
        ground.database.submit(tag("b"))
