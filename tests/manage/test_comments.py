"""Comments on a change, and its whole discussion in the order of time."""

import pytest

from tenure.errors import InvalidInput, NotAllowed, NotFound
from tenure.manage import changes, comments
from tenure.records.base import Instant
from tenure.records.changes import NewComment
from tenure.records.people import Principal
from tenure.store import audit
from tenure.store.ground import Ground

from .makers import NOW, ask, make_ready, sign

ANN = Principal(name="ann", kind="person", permissions=frozenset())


def say(ground: Ground, change_id: str, text: str, *, by: Principal = ANN, at: int = NOW + 1) -> None:
    new = NewComment(text=text)
    ground.database.write(lambda tx: comments.add(tx, change_id, new, by=by, now=Instant(at)))


def test_a_discussion_is_told_in_order_with_its_signatures(each_ground: Ground):
    change = ask(each_ground, make_ready(each_ground))
    say(each_ground, change.change_id, "Why is the AUC of May lower?")
    say(each_ground, change.change_id, " A storm; see the report. ", at=NOW + 2)
    sign(each_ground, change, "vera", "validator")
    sign(each_ground, change, "bo", "business-owner")
    told = each_ground.database.read(lambda tx: comments.timeline(tx, change.change_id))
    assert [(one.what, one.who, one.text) for one in told] == [
        ("opened", "ann", "it is ready"),
        ("comment", "ann", "Why is the AUC of May lower?"),
        ("comment", "ann", "A storm; see the report."),
        ("signature", "vera", "looked at it"),
        ("signature", "bo", "looked at it"),
        ("ended", "", "every step is signed"),
    ]
    assert told[3].signature is not None
    assert told[3].signature.role == "validator"
    events = each_ground.database.read(lambda tx: audit.search(tx, action="change.commented"))
    assert all(event.detail["text"].startswith("sha256:") for event in events)
    assert len(events) == 2


def test_who_is_not_named_and_what_is_empty_is_refused(ground: Ground):
    change = ask(ground, make_ready(ground))
    with pytest.raises(NotAllowed, match="Sign in first"):
        say(ground, change.change_id, "hello", by=Principal(name="visitor", kind="nobody", permissions=frozenset()))
    with pytest.raises(InvalidInput, match="must say something"):
        say(ground, change.change_id, "   ")
    with pytest.raises(NotFound):
        say(ground, "no-such-change", "hello")


def test_who_commented_may_still_sign(ground: Ground):
    """To speak about a version is not to have made it."""
    change = ask(ground, make_ready(ground))
    say(ground, change.change_id, "reads well", by=Principal(name="vera", kind="person", permissions=frozenset()))
    assert sign(ground, change, "vera", "validator").steps[0].signed == 1
    assert ground.database.read(lambda tx: changes.get(tx, change.change_id)).state == "open"
