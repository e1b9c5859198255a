"""What an endpoint exports is set with a reason, told without secrets, and ended."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tenure.build import webhooks
from tenure.deploy import exports
from tenure.errors import InvalidInput, NotFound
from tenure.records.exports import Export, SetExport
from tenure.store import audit, sealing
from tenure.store import exports as kept
from tenure.store.ground import Ground

from .makers import NOW, make_model
from .test_promotions import make_endpoint

ASKED = SetExport(reason="for the desk", url="https://events.example/path-that-is-secret", secret="hush")


def put(ground: Ground, asked: SetExport, name: str = "delay-eu") -> Export | None:
    means = webhooks.means_of(ground)
    return ground.database.write(lambda tx: exports.set_export(tx, name, asked, means, by="ann", now=NOW))


def test_an_export_is_told_without_its_secret(each_ground: Ground) -> None:
    make_model(each_ground)
    make_endpoint(each_ground)
    assert each_ground.database.read(lambda tx: exports.export_of(tx, "delay-eu")) is None
    made = put(each_ground, ASKED)
    assert made is not None
    assert made == each_ground.database.read(lambda tx: exports.export_of(tx, "delay-eu"))
    assert (made.what, made.share, made.signed, made.waiting) == (["request", "response"], 1.0, True, 0)
    sealed = each_ground.database.read(lambda tx: kept.secret(tx, "delay-eu"))
    assert sealed is not None
    assert b"hush" not in sealed
    assert sealing.unseal(each_ground.key, sealed, exports.owner_of("delay-eu")) == "hush"
    [told] = [one for one in each_ground.database.read(audit.search) if one.action == "endpoint.export_set"]
    assert told.detail["after"] == {
        "host": "events.example",
        "what": ["request", "response"],
        "share": 1.0,
        "signed": True,
    }
    assert "secret" not in str(told.detail)


def test_setting_it_anew_keeps_counts_and_secret_and_drops_what_waits(each_ground: Ground) -> None:
    make_model(each_ground)
    make_endpoint(each_ground)
    first = put(each_ground, ASKED)
    assert first is not None
    each_ground.database.write(lambda tx: kept.chose(tx, first, 5, 0))
    each_ground.database.write(lambda tx: kept.settle(tx, first, sent=2))
    second = put(each_ground, msgspec.structs.replace(ASKED, secret=None, share=0.5))
    assert second is not None
    assert (second.signed, second.share) == (True, 0.5)
    assert (second.sent, second.waiting, second.dropped) == (2, 0, 3)
    each_ground.database.write(lambda tx: kept.settle(tx, first, sent=1))
    assert each_ground.database.read(lambda tx: kept.get(tx, "delay-eu")) == second
    unsigned = put(each_ground, msgspec.structs.replace(ASKED, secret=""))
    assert unsigned is not None
    assert not unsigned.signed
    assert put(each_ground, SetExport(reason="no longer")) is None
    assert each_ground.database.read(kept.all_of) == {}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "http://events.example/"}, "url"),
        ({"url": "https://localhost/"}, "url"),
        ({"url": ""}, "url"),
        ({"what": ["request", "request"]}, "what"),
        ({"secret": "s" * 1001}, "secret"),
    ],
)
def test_what_does_not_fit_is_refused(ground: Ground, change: dict[str, Any], where: str) -> None:
    make_model(ground)
    make_endpoint(ground)
    with pytest.raises(InvalidInput) as refused:
        put(ground, msgspec.structs.replace(ASKED, **change))
    assert refused.value.where == where
    assert ground.database.read(kept.all_of) == {}


def test_an_unknown_endpoint_exports_nothing(ground: Ground) -> None:
    with pytest.raises(NotFound):
        put(ground, ASKED, "nowhere")


@pytest.mark.parametrize("said", [{"share": 0}, {"share": 1.5}, {"what": []}, {"what": ["outcome"]}, {"host": "x"}])
def test_an_export_that_means_nothing_is_refused(said: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"reason": "for the desk", **said}, SetExport)
