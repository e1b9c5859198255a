"""How an endpoint journals is set with a reason, routed and told."""

from __future__ import annotations

import msgspec
import pytest

from tenure.deploy import journaling, routing
from tenure.errors import NotFound
from tenure.manage import facts, published
from tenure.records.facts import Facts
from tenure.records.journaling import AUDIT, JournalMode, SetJournal
from tenure.store import audit
from tenure.store.database import Transaction
from tenure.store.ground import Ground

from .makers import NOW, make_model, make_version
from .test_promotions import make_endpoint

SAMPLE = SetJournal(reason="ten million a day", journal=JournalMode(mode="sample", fraction=0.1))


def test_a_mode_is_routed_and_told(each_ground: Ground) -> None:
    make_model(each_ground)
    make_endpoint(each_ground)
    before = each_ground.database.read(routing.table)
    assert before.routes["delay-eu"].journal == AUDIT
    each_ground.database.write(lambda tx: journaling.set_mode(tx, "delay-eu", SAMPLE, by="ann", now=NOW))
    after = each_ground.database.read(routing.table)
    assert after.epoch > before.epoch
    assert after.routes["delay-eu"].journal == SAMPLE.journal
    assert each_ground.database.read(lambda tx: journaling.mode_of(tx, "delay-eu")) == SAMPLE.journal
    [told] = [one for one in each_ground.database.read(audit.search) if one.action == "endpoint.journal_set"]
    assert told.detail["after"] == {"mode": "sample", "fraction": 0.1}
    assert told.detail["reason"] == "ten million a day"


def test_an_unknown_endpoint_has_no_mode(each_ground: Ground) -> None:
    with pytest.raises(NotFound):
        each_ground.database.write(lambda tx: journaling.set_mode(tx, "nowhere", SAMPLE, by="ann", now=NOW))


@pytest.mark.parametrize(
    "said",
    [
        {"mode": "sample", "fraction": 0},
        {"mode": "sample", "fraction": 1.1},
        {"mode": "audit", "fraction": 0.5},
        {"mode": "none"},
    ],
)
def test_a_mode_that_means_nothing_is_refused(said: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(said, JournalMode)


def test_how_its_endpoints_journal_is_a_fact_for_gates(each_ground: Ground) -> None:
    make_model(each_ground)
    version = make_version(each_ground).version
    assert facts_of(each_ground, version).journaling is None
    make_endpoint(each_ground)
    assert facts_of(each_ground, version).journaling == ["audit"]
    each_ground.database.write(lambda tx: journaling.set_mode(tx, "delay-eu", SAMPLE, by="ann", now=NOW))
    assert facts_of(each_ground, version).journaling == ["sample"]


def facts_of(ground: Ground, version: int) -> Facts:
    def gather(tx: Transaction) -> Facts:
        return facts.gather(tx, "delay", version, None, published.for_model(tx, "delay", NOW))

    return ground.database.read(gather)
