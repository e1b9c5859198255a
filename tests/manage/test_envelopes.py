"""Envelopes: what people signed for once, and when it no longer holds."""

import json

import pytest
import sqlalchemy as sa

from tenure.build import registered_models
from tenure.errors import Conflict, GateNotMet
from tenure.manage import changes, envelopes
from tenure.records.base import Instant, instant_of
from tenure.records.changes import Change, EnvelopeVerdict
from tenure.store import tables
from tenure.store.ground import Ground
from tenure.store.keys import open_key

from .makers import FILE, MODEL, NOW, apply_file, approve, ask, make_ready, make_version, state_of, write_card


def crown(ground: Ground, version: int) -> None:
    ground.database.write(lambda tx: registered_models.set_alias(tx, MODEL, "champion", version, now=NOW))


def covers(ground: Ground, version: int, now: Instant = NOW, pem: str = "") -> EnvelopeVerdict:
    key = pem or ground.key.public_pem
    return ground.database.read(lambda tx: envelopes.covers(tx, MODEL, version, now=now, public_pems=[key]))


def challenger(ground: Ground, columns: tuple[str, ...] = ("wind", "carrier")) -> Change:
    version = make_version(ground, columns, by="tenure-worker")
    write_card(ground, version)
    return ask(ground, version, by="tenure-worker", at=Instant(NOW + 100))


def pass_on(ground: Ground, change: Change, **evidence: object) -> Change:
    return ground.database.write(
        lambda tx: changes.approve_under_envelope(
            tx,
            change.change_id,
            by="tenure-worker",
            now=Instant(NOW + 200),
            evidence=evidence,
            public_pems=ground.key.public_pems,
        )
    )


def test_a_signed_envelope_covers_until_it_expires(ground: Ground):
    version = make_ready(ground)
    change = approve(ground, version)
    verdict = covers(ground, version)
    assert (verdict.covered, verdict.change_id, verdict.expires) == (True, change.change_id, "2027-06-30")
    import datetime

    last = instant_of(datetime.datetime(2027, 6, 30, 23, 59, tzinfo=datetime.UTC))
    assert covers(ground, version, last).covered
    assert "expired on 2027-06-30" in covers(ground, version, Instant(last + 60_000_000)).because


def test_without_signatures_nothing_is_covered(ground: Ground):
    version = make_ready(ground)
    assert "was not approved by signatures" in covers(ground, version).because


def test_a_file_that_changed_ends_the_envelope(ground: Ground):
    version = make_ready(ground)
    approve(ground, version)
    apply_file(ground, owner="somebody@example.com")
    assert "has changed since" in covers(ground, version).because
    apply_file(ground)
    assert covers(ground, version).covered


def test_a_file_without_envelope_covers_nothing(ground: Ground):
    version = make_ready(ground)
    approve(ground, version)
    apply_file(ground, retraining={**FILE["retraining"], "envelope": None})
    assert "declares no" in covers(ground, version).because


def test_signatures_of_another_key_cover_nothing(ground: Ground, tmp_path):
    version = make_ready(ground)
    approve(ground, version)
    assert "does not hold" in covers(ground, version, pem=open_key(tmp_path / "other").public_pem).because


def test_an_approval_that_was_written_into_the_database_covers_nothing(ground: Ground):
    version = make_ready(ground)
    change = ask(ground, version)
    forge = sa.update(tables.changes).where(tables.changes.c.change_id == change.change_id).values(state="approved")
    ground.database.write(lambda tx: tx.execute(forge))
    assert "lacks signatures as validator" in covers(ground, version).because


def test_a_signature_that_was_moved_to_another_subject_covers_nothing(ground: Ground):
    version = make_ready(ground)
    change = approve(ground, version)
    row = ground.database.read(lambda tx: tx.execute(sa.select(tables.changes.c.body)).scalar_one())
    body = json.loads(row)
    body["subject"]["artifact"] = "sha256:other"
    mine = tables.changes.c.change_id == change.change_id
    forge = sa.update(tables.changes).where(mine).values(body=json.dumps(body))
    ground.database.write(lambda tx: tx.execute(forge))
    assert "lacks signatures" in covers(ground, version).because


def test_a_challenger_inside_the_envelope_is_approved_and_passes_it_on(ground: Ground):
    first = make_ready(ground)
    signed = approve(ground, first)
    crown(ground, first)
    second = pass_on(ground, challenger(ground), score_psi=0.02, auc=0.75)
    assert (second.state, second.approved_under, second.signatures) == ("approved", signed.change_id, [])
    assert state_of(ground, second.version) == "approved"
    crown(ground, second.version)
    third = pass_on(ground, challenger(ground), score_psi=0.1)
    assert third.approved_under == signed.change_id


@pytest.mark.parametrize(
    ("evidence", "problem"),
    [
        ({}, "nobody measured"),
        ({"score_psi": None}, "nobody measured"),
        ({"score_psi": float("nan")}, "nobody measured"),
        ({"score_psi": True}, "nobody measured"),
        ({"score_psi": 0.11}, "moved by a PSI of 0.110"),
    ],
)
def test_a_challenger_outside_the_envelope_is_not_approved(ground: Ground, evidence: dict[str, object], problem: str):
    first = make_ready(ground)
    approve(ground, first)
    crown(ground, first)
    change = challenger(ground)
    with pytest.raises(GateNotMet, match=problem):
        pass_on(ground, change, **evidence)
    assert ground.database.read(lambda tx: changes.get(tx, change.change_id)).state == "open"


def test_a_challenger_with_other_features_is_not_approved(ground: Ground):
    first = make_ready(ground)
    approve(ground, first)
    crown(ground, first)
    change = challenger(ground, ("wind",))
    with pytest.raises(GateNotMet, match="takes other features"):
        pass_on(ground, change, score_psi=0.0)


def test_without_a_champion_there_is_no_envelope(ground: Ground):
    approve(ground, make_ready(ground))
    change = challenger(ground)
    with pytest.raises(GateNotMet, match="has no champion"):
        pass_on(ground, change, score_psi=0.0)


def test_a_change_that_is_over_is_not_approved_again(ground: Ground):
    version = make_ready(ground)
    change = approve(ground, version)
    with pytest.raises(Conflict):
        pass_on(ground, change, score_psi=0.0)
