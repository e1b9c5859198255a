"""When the worker looks, and when it leaves a look out."""

from __future__ import annotations

from dataclasses import dataclass

from tenure.monitor import intake
from tenure.store.ground import Ground
from tenure.worker import QUIET_AFTER_S, QUIET_LOOK_S, Lull


@dataclass
class World:
    """A clock, and what there is to be noticed; `fails` when it cannot be asked."""

    seconds: float = 100.0
    news: int = 0
    fails: bool = False

    def ask(self) -> int:
        if self.fails:
            raise OSError("away")
        return self.news


def lull_of(world: World) -> Lull:
    return Lull(world.ask, lambda: world.seconds)


def looks(lull: Lull, world: World, seconds: float, *, every: float = 0.25, moved: bool = False) -> int:
    """How many looks there are while so much time passes."""
    count = 0
    for _ in range(round(seconds / every)):
        world.seconds += every
        if lull.due():
            count += 1
            lull.looked(moved)
    return count


def test_every_look_is_due_while_there_is_something_to_do_and_for_a_while_after() -> None:
    world = World()
    lull = lull_of(world)
    assert looks(lull, world, 60, moved=True) == 240
    assert looks(lull, world, QUIET_AFTER_S - 0.25) == 19


def test_in_a_lull_a_look_is_due_once_a_second() -> None:
    world = World()
    lull = lull_of(world)
    looks(lull, world, 2 * QUIET_AFTER_S)
    assert looks(lull, world, 60 * QUIET_LOOK_S) == 60


def test_news_end_the_waiting_at_once_and_what_they_bring_ends_the_lull() -> None:
    world = World()
    lull = lull_of(world)
    looks(lull, world, 2 * QUIET_AFTER_S + 0.5)
    world.news += 1
    assert looks(lull, world, 0.25) == 1
    assert looks(lull, world, 0.25) == 0, "news that brought nothing are looked at once"
    world.news += 1
    assert looks(lull, world, 0.25, moved=True) == 1
    assert looks(lull, world, 1.0) == 4


def test_what_cannot_be_asked_for_is_looked_at() -> None:
    world = World(fails=True)
    lull = lull_of(world)
    assert looks(lull, world, 4 * QUIET_AFTER_S) == 80


def test_a_row_more_in_the_journal_is_news(ground: Ground) -> None:
    assert intake.journaled(ground) == []
    folder = ground.settings.folder / "journal" / "gateway"
    folder.mkdir(parents=True)
    segment = folder / f"{1:012}.open"
    segment.write_bytes(b"row")
    before = intake.journaled(ground)
    with segment.open("ab") as file:
        file.write(b"row")
    assert before != intake.journaled(ground) != []
