"""Mutes: of what they are, until when, and that they are in the audit log."""

from __future__ import annotations

import pytest

from tenure.errors import Conflict, NotFound
from tenure.monitor import mutes
from tenure.records.base import HOUR_US, Instant
from tenure.records.incidents import NewMute
from tenure.store import audit
from tenure.store.ground import Ground

from .year import ENDPOINT, MODEL, Traffic

NOW = Instant(1_750_000_000_000_000)


def test_a_mute_holds_until_its_time_or_until_somebody_ends_it(each_ground: Ground) -> None:
    traffic = Traffic(each_ground)
    new = NewMute(lasts="4h", reason="the airport is closed", monitor="drift", subject="temp")
    database = each_ground.database
    made = database.write(lambda tx: mutes.mute(tx, ENDPOINT, new, by="ann", now=NOW))
    other = NewMute(lasts="1d", reason="maintenance")
    database.write(lambda tx: mutes.mute(tx, ENDPOINT, other, by="ann", now=NOW))
    later = Instant(NOW + 4 * HOUR_US)
    with database.reading() as tx:
        assert len(mutes.in_force(tx, now=NOW)) == 2
        assert len(mutes.in_force(tx, models={MODEL}, now=Instant(later - 1))) == 2
        assert [one.subject for one in mutes.in_force(tx, now=later)] == [None]
        assert mutes.in_force(tx, models={"other"}, now=NOW) == []
    ended = Instant(NOW + 1)
    database.write(lambda tx: mutes.unmute(tx, ENDPOINT, made.mute_id, reason="it opened", by="bo", now=ended))
    with pytest.raises(Conflict):
        database.write(lambda tx: mutes.unmute(tx, ENDPOINT, made.mute_id, reason="it opened", by="bo", now=ended))
    with database.reading() as tx:
        assert [one.subject for one in mutes.in_force(tx, now=ended)] == [None]
        assert {(one.subject, one.ended_by) for one in mutes.history(tx, ENDPOINT)} == {(None, None), ("temp", "bo")}
        told = [(event.action, event.actor) for event in audit.search(tx, action="alert.")]
    assert told == [("alert.unmuted", "bo"), ("alert.muted", "ann"), ("alert.muted", "ann")]
    traffic.close()


def test_a_mute_of_another_endpoint_is_not_there(ground: Ground) -> None:
    traffic = Traffic(ground)
    made = ground.database.write(
        lambda tx: mutes.mute(tx, ENDPOINT, NewMute(lasts="4h", reason="closed"), by="ann", now=NOW)
    )
    with pytest.raises(NotFound):
        ground.database.write(lambda tx: mutes.unmute(tx, "other", made.mute_id, reason="why not", by="bo", now=NOW))
    with pytest.raises(NotFound):
        ground.database.write(
            lambda tx: mutes.mute(tx, "other", NewMute(lasts="4h", reason="closed"), by="ann", now=NOW)
        )
    traffic.close()
