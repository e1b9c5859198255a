"""Which policies count for a model at an instant: a pure function, held at its boundaries and by property."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure.manage import in_force, policies
from tenure.manage.in_force import About
from tenure.records.base import DAY_US, Instant, instant_of
from tenure.records.digests import digest_of
from tenure.records.policies import PolicyException, PublishedPolicy, Withdrawal

from .rules import make_policy

ABOUT = About("late", ["US"], ["pricing"])


def at(text: str) -> Instant:
    return instant_of(datetime.fromisoformat(text).replace(tzinfo=UTC))


def made(
    version: int = 1, published: str = "2026-01-01", withdrawn: date | None = None, **told: Any
) -> PublishedPolicy:
    body = make_policy(**told)
    gone = Withdrawal(from_date=withdrawn, reason="over", by="root", at=0) if withdrawn else None
    return PublishedPolicy(
        name=body.policy,
        version=version,
        digest=digest_of(body),
        body=body,
        published_by="root",
        published_at=at(published),
        withdrawn=gone,
    )


def titles(published: list[PublishedPolicy], when: str, about: About = ABOUT) -> list[str]:
    return [one.title for one in in_force.in_force(published, [], about, at(when)).policies]


def test_nothing_published_leaves_the_built_in_policy():
    force = in_force.in_force([], [], ABOUT, at("2026-01-01"))
    assert (force.title, force.bound()) == (policies.VERSION, f"{policies.VERSION} {policies.digest()}")


def test_a_version_counts_from_its_validity_to_the_end_of_its_last_day():
    one = made(valid_from="2026-03-01", valid_to="2026-03-31")
    assert titles([one], "2026-02-28T23:59:59.999999") == []
    assert titles([one], "2026-03-01") == ["lending@1"]
    assert titles([one], "2026-03-31T23:59:59.999999") == ["lending@1"]
    assert titles([one], "2026-04-01") == []


def test_a_version_never_counts_before_it_was_published():
    assert titles([made(published="2026-05-01T12:00:00", valid_from="2026-01-01")], "2026-05-01T11:59:59") == []


def test_a_new_version_supersedes_from_its_own_validity():
    both = [made(1), made(2, published="2026-02-01", valid_from="2026-06-01")]
    assert titles(both, "2026-05-31T23:59:59") == ["lending@1"]
    assert titles(both, "2026-06-01") == ["lending@2"]


def test_what_is_withdrawn_or_over_brings_no_older_version_back():
    both = [made(1), made(2, published="2026-02-01", withdrawn=date(2026, 3, 1))]
    assert titles(both, "2026-02-28T23:59:59") == ["lending@2"]
    assert titles(both, "2026-03-01") == []
    assert titles([made(1), made(2, published="2026-02-01", valid_to="2026-02-10")], "2026-02-11") == []


def test_it_is_about_the_models_places_and_purposes_that_it_names():
    one = made(applies_to={"models": ["late*"], "jurisdictions": ["US", "CA"], "purposes": ["pricing"]})
    assert titles([one], "2026-02-01", About("late-eu", ["CA"], ["pricing", "other"]))
    assert titles([one], "2026-02-01", About("late", [], [])), "who names no place counts for each"
    for other in (About("early", ["US"], []), About("late", ["DE"], []), About("late", ["US"], ["crew"])):
        assert titles([one], "2026-02-01", other) == []


@pytest.mark.parametrize(("when", "counts"), [("2026-03-01", True), ("2026-03-02", False), ("2026-02-28", False)])
def test_a_rule_and_a_ban_have_dates_and_places_of_their_own(when: str, counts: bool):
    span = {"valid_from": "2026-03-01", "valid_to": "2026-03-01"}
    ban = {"semantic": "age", "reason": "law 1", "jurisdictions": ["US"], **span}
    force = in_force.in_force([made(rule=span, forbid=[ban])], [], ABOUT, at(when))
    assert bool(force.rules("approve")) is counts
    assert bool(force.bans()) is counts
    assert force.rules("deploy") == []
    elsewhere = in_force.in_force([made(forbid=[ban])], [], About("late", ["DE"]), at("2026-03-01"))
    assert elsewhere.bans() == []


def exception(expires: str, **told: Any) -> PolicyException:
    standing = {"state": "approved", "model": "late", "subject": "lending/good", **told}
    return PolicyException(
        exception_id="x",
        owner="ann",
        reason="because",
        expires=date.fromisoformat(expires),
        requested_by="ann",
        requested_at=0,
        **standing,
    )


def test_an_exception_lasts_to_the_end_of_its_day_for_its_model_only():
    def allowed(one: PolicyException, when: str) -> bool:
        return in_force.in_force([], [one], ABOUT, at(when)).exception("lending/good") is not None

    assert allowed(exception("2026-03-01"), "2026-03-01T23:59:59.999999")
    assert not allowed(exception("2026-03-01"), "2026-03-02")
    assert not allowed(exception("2026-03-01", model="other"), "2026-03-01")
    for state in ("requested", "refused", "revoked"):
        assert not allowed(exception("2026-03-01", state=state), "2026-03-01")


DAYS = st.integers(0, 40)


@given(
    st.lists(st.tuples(DAYS, st.none() | DAYS, st.none() | DAYS, st.none() | DAYS), max_size=6),
    DAYS,
)
def test_of_each_policy_at_most_one_version_counts_and_it_is_the_newest_begun(
    spans: list[tuple[int, int | None, int | None, int | None]], day: int
):
    start = date(2026, 1, 1).toordinal()

    def dated(days: int | None) -> date | None:
        return None if days is None else date.fromordinal(start + days)

    versions = []
    for number, (published, one, other, gone) in enumerate(spans, 1):
        span = sorted((one, other)) if one is not None and other is not None else (one, other)
        days = zip(("valid_from", "valid_to"), map(dated, span), strict=True)
        told = {name: str(value) for name, value in days if value}
        versions.append(made(number, published=str(dated(published)), withdrawn=dated(gone), **told))
    instant = Instant(at("2026-01-01") + day * DAY_US)
    counting = in_force.counting(reversed(versions), instant)
    begun = [
        one.version
        for one, (published, *_) in zip(versions, spans, strict=True)
        if max(published, _begin(one, start)) <= day
    ]
    assert len(counting) <= 1
    if counting:
        assert counting[0].version == max(begun)
        assert in_force.counts(counting[0].body, instant)
        assert counting[0].withdrawn is None or counting[0].withdrawn.from_date.toordinal() - start > day
    elif begun:
        newest = versions[max(begun) - 1]
        over = newest.body.valid_to is not None and newest.body.valid_to.toordinal() - start < day
        gone = newest.withdrawn is not None and newest.withdrawn.from_date.toordinal() - start <= day
        assert over or gone


def _begin(one: PublishedPolicy, start: int) -> int:
    return one.body.valid_from.toordinal() - start if one.body.valid_from else 0
