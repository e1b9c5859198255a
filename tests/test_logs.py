"""A failure that comes back is told once in full, then once a minute with how often it came."""

from __future__ import annotations

import io
import logging

from tenure import logs


def raise_it(kind: type[Exception]) -> None:
    raise kind("no room")


class Fails:
    def __init__(self) -> None:
        self.now = 0.0
        self.said = io.StringIO()
        handler = logging.StreamHandler(self.said)
        handler.addFilter(logs.Recurring(clock=lambda: self.now))
        self.log = logging.Logger("of this test")
        self.log.addHandler(handler)

    def fail(self, told: str = "the step %s failed", about: str = "one", kind: type[Exception] = OSError) -> str:
        """What is said when it fails once more."""
        before = len(self.said.getvalue())
        try:
            raise_it(kind)
        except kind:
            self.log.exception(told, about)
        return self.said.getvalue()[before:]


def test_the_same_failure_is_told_in_full_once_then_counted() -> None:
    fails = Fails()
    assert "Traceback" in fails.fail()
    for _ in range(299):
        fails.now += 0.1
        assert fails.fail() == ""
    fails.now = 60.0
    assert fails.fail() == "the step one failed (300 times more in 60 s; OSError: no room)\n"
    assert fails.fail() == ""
    fails.now = 130.0
    assert fails.fail() == "the step one failed (2 times more in 70 s; OSError: no room)\n"


def test_what_differs_is_told() -> None:
    fails = Fails()
    assert "Traceback" in fails.fail()
    assert "Traceback" in fails.fail(about="another")
    assert "Traceback" in fails.fail(kind=ValueError)
    assert fails.fail() == fails.fail(about="another") == fails.fail(kind=ValueError) == ""
    for _ in range(2):
        fails.log.warning("nothing was raised")
    assert fails.said.getvalue().count("nothing was raised") == 2


def test_no_more_is_kept_than_told_apart() -> None:
    fails = Fails()
    for number in range(logs.MOST_KEPT + 1):
        fails.fail(about=str(number))
    assert "Traceback" in fails.fail(about="0")
    assert fails.fail(about=str(logs.MOST_KEPT)) == ""
