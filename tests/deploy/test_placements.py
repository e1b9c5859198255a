"""A rehearsal does what would be done, tells what came of it, and leaves nothing behind."""

from __future__ import annotations

from typing import Any

import pytest

from tenure.deploy import endpoints, placements, promotions, routing
from tenure.errors import Conflict, GateNotMet, InvalidInput
from tenure.records.base import Instant
from tenure.records.endpoints import NewEndpoint
from tenure.records.placements import NewPlacement
from tenure.store import audit, changes
from tenure.store import endpoints as kept
from tenure.store import releases as in_service
from tenure.store.ground import Ground

from .makers import NOW, approve, govern, make_model, make_validator, make_version

LATER = Instant(NOW + 1_000_000)
SIGNED = {"steps": [{"role": "validator"}]}


def make_town(ground: Ground, **file: Any) -> None:
    """Version 1 answers at `delay-eu`, version 2 is there; `file` puts the model under governance."""
    make_model(ground)
    one, two = make_version(ground), make_version(ground)
    place = NewEndpoint(name="delay-eu", model="delay")
    ground.database.write(lambda tx: endpoints.create(tx, place, by="ann", now=NOW))
    ground.database.write(
        lambda tx: promotions.promote(tx, "delay", 1, to="champion", reason="the first", by="ann", now=NOW)
    )
    if file:
        make_validator(ground)
        govern(ground, **file)
        approve(ground, one)
        approve(ground, two)


def asked(**more: Any) -> NewPlacement:
    told = {"kind": "deploy", "model": "delay", "version": 2, "to": "challenger", "reason": "better", "share": 0.2}
    return NewPlacement(**{**told, "endpoint": "delay-eu", **more})


def everything(ground: Ground) -> Any:
    """What a rehearsal must leave as it was."""
    return ground.database.read(
        lambda tx: (
            audit.size_and_head(tx),
            in_service.open_ones(tx),
            kept.list_all(tx),
            routing.epoch(tx),
            len(changes.search(tx)),
        )
    )


def shares(releases: list[Any]) -> list[tuple[int, str, float]]:
    return [(one.version, one.role, one.share) for one in releases]


def test_a_rehearsal_tells_what_comes_of_it_and_leaves_nothing(each_ground: Ground) -> None:
    make_town(each_ground, deployment=SIGNED)
    before = everything(each_ground)
    found = placements.rehearse(each_ground, asked(), by="max", now=LATER)
    assert found.refusal is None
    assert found.change is not None
    assert found.gate is not None
    assert (found.change.state, found.gate.passed) == ("open", True)
    assert [(one.role, one.needed, one.people) for one in found.signers] == [("validator", 1, ["Vera V."])]
    [place] = found.places
    assert shares(place.before) == [(1, "champion", 1.0)]
    assert shares(place.after) == [(1, "champion", 0.8), (2, "challenger", 0.2)]
    assert everything(each_ground) == before


def test_a_refused_rehearsal_leaves_nothing_either(each_ground: Ground) -> None:
    make_town(each_ground)
    before = everything(each_ground)
    new = asked(endpoint="delay-us", is_new=True, share=1.0)
    found = placements.rehearse(each_ground, new, by="max", now=LATER)
    assert isinstance(found.refusal, InvalidInput)
    govern(each_ground)
    gated = placements.rehearse(each_ground, asked(kind="promote", to="champion"), by="max", now=LATER)
    assert isinstance(gated.refusal, GateNotMet)
    assert gated.gate is not None
    assert not gated.gate.passed
    assert [one.endpoint for one in everything(each_ground)[1]] == ["delay-eu"]
    assert [one.name for one in before[2]] == [one.name for one in everything(each_ground)[2]]


@pytest.mark.parametrize("more", [{}, {"to": "shadow", "share": 0.5}, {"to": "champion"}, {"kind": "promote"}])
@pytest.mark.parametrize("file", [{}, {"owner": "ann@example.com"}])
def test_what_is_done_is_what_was_rehearsed(ground: Ground, file: dict[str, Any], more: dict[str, Any]) -> None:
    make_town(ground, **file)
    new = asked(**more)
    [place] = placements.rehearse(ground, new, by="max", now=LATER).places
    checked = placements.prepare(ground, new, now=LATER)
    ground.database.write(lambda tx: placements.place(tx, new, by="max", now=LATER, checked=checked))
    assert shares(ground.database.read(lambda tx: routing.in_service(tx, "delay-eu"))) == shares(place.after)
    assert shares(place.after) != shares(place.before)


def test_files_that_are_not_what_was_registered_stop_it_before_anything_is_done(ground: Ground) -> None:
    make_town(ground)
    ground.artifacts.write("1/models/m-00000000000000000000000000000001/artifacts/model/weights.bin", [b"other"])
    with pytest.raises(Conflict, match="other content"):
        placements.prepare(ground, asked(), now=LATER)


def test_an_end_is_rehearsed_too(ground: Ground) -> None:
    make_town(ground)
    ground.database.write(lambda tx: placements.place(tx, asked(), by="max", now=LATER))
    before = everything(ground)
    found = placements.rehearse_end(ground, "delay", "delay-eu", before[1][1].release_id, by="max", now=LATER)
    assert shares(found.places[0].after) == [(1, "champion", 1.0)]
    champion = placements.rehearse_end(ground, "delay", "delay-eu", before[1][0].release_id, by="max", now=LATER)
    assert champion.refusal is not None
    assert everything(ground) == before
