"""What waits for whom."""

from tenure.manage import inbox
from tenure.manage import people as accounts
from tenure.records.base import Instant
from tenure.records.inbox import Inbox
from tenure.records.people import Principal
from tenure.store import changes
from tenure.store.ground import Ground

from .makers import CARD, NOW, Card, apply_file, ask, make_ready, sign, write_card


def inbox_of(ground: Ground, name: str, kind: str = "person") -> Inbox:
    who = Principal(name=name, kind=kind, permissions=frozenset())  # type: ignore[arg-type]
    return ground.database.read(lambda tx: inbox.of(tx, who, NOW))


def count(ground: Ground, name: str) -> int:
    who = Principal(name=name, kind="person", permissions=frozenset())
    return ground.database.read(lambda tx: inbox.count(tx, who, changes.search(tx, state="open")))


def test_a_change_waits_for_those_who_may_sign_it(each_ground: Ground):
    change = ask(each_ground, make_ready(each_ground))
    waiting = {
        name: [one.roles for one in inbox_of(each_ground, name).to_sign] for name in ("vera", "bo", "both", "ann")
    }
    assert waiting == {
        "vera": [["validator"]],
        "bo": [["business-owner"]],
        "both": [["validator", "business-owner"]],
        "ann": [],
    }
    assert [one.change_id for one in inbox_of(each_ground, "ann").waiting] == [change.change_id]
    sign(each_ground, change, "vera", "validator")
    assert [count(each_ground, name) for name in ("vera", "vic", "bo", "both")] == [0, 0, 1, 1]


def test_a_role_given_too_late_puts_nothing_in_the_inbox(ground: Ground):
    ask(ground, make_ready(ground))
    ground.database.write(lambda tx: accounts.set_roles(tx, "bo", ["validator"], by="owner", now=Instant(NOW + 1)))
    assert count(ground, "bo") == 0


def test_what_came_back_waits_until_it_is_asked_again(ground: Ground):
    version = make_ready(ground)
    sign(ground, ask(ground, version), "vera", "validator", "rejection")
    assert [one.state for one in inbox_of(ground, "ann").came_back] == ["rejected"]
    assert inbox_of(ground, "bo").came_back == []
    ask(ground, version, at=Instant(NOW + 50))
    assert inbox_of(ground, "ann").came_back == []
    write_card(ground, version, Card(scope="Other flights", data_dependencies=CARD.data_dependencies))
    assert [one.state for one in inbox_of(ground, "ann").came_back] == ["invalidated"]


def test_the_local_owner_signs_nothing_but_is_told_what_came_back(ground: Ground):
    change = ask(ground, make_ready(ground), by="owner")
    found = inbox_of(ground, "owner", "owner")
    assert (found.to_sign, [one.change_id for one in found.waiting]) == ([], [change.change_id])
    apply_file(ground, purpose="Something else")
    assert [one.change_id for one in inbox_of(ground, "owner", "owner").came_back] == [change.change_id]
    assert inbox_of(ground, "visitor", "nobody") == Inbox(to_sign=[], came_back=[], waiting=[], alerts=[])
