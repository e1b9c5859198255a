"""Promotion: alias and releases move together, through the gates."""

from __future__ import annotations

import msgspec
import pytest

from tenure.build import registered_models, webhooks
from tenure.deploy import changes, endpoints, promotions, releases
from tenure.errors import AlreadyExists, Conflict, GateNotMet, InvalidInput, NotAllowed, NotFound
from tenure.records.endpoints import NewEndpoint, NewRelease, ReleaseInfo
from tenure.records.webhooks import NewWebhook
from tenure.store import audit, outbox
from tenure.store import releases as kept
from tenure.store.ground import Ground

from .makers import NOW, approve, govern, make_model, make_validator, make_version


def make_endpoint(ground: Ground, name: str = "delay-eu", model: str = "delay") -> None:
    new = NewEndpoint(name=name, model=model)
    ground.database.write(lambda tx: endpoints.create(tx, new, by="ann", now=NOW))


def promote(ground: Ground, version: int, to: promotions.Role = "champion", share: float = 0.1) -> None:
    ground.database.write(
        lambda tx: promotions.promote(tx, "delay", version, to=to, reason="better", by="ann", now=NOW, share=share)
    )


def add_shadow(ground: Ground, version: int) -> ReleaseInfo:
    return ground.database.write(
        lambda tx: releases.add_shadow(tx, "delay-eu", version, reason="to see", by="ann", now=NOW)
    )


def serving(ground: Ground, endpoint: str = "delay-eu") -> list[tuple[int, str]]:
    open_ones = ground.database.read(lambda tx: kept.open_ones(tx, endpoint=endpoint))
    return [(release.version, release.role) for release in open_ones]


def aliases(ground: Ground) -> dict[str, int]:
    return ground.database.read(lambda tx: registered_models.aliases(tx, "delay"))


def actions(ground: Ground) -> list[str]:
    return [event.action for event in ground.database.read(audit.search)]


def test_a_new_endpoint_answers_with_the_champion_that_the_model_has_already(each_ground: Ground) -> None:
    make_model(each_ground)
    make_version(each_ground)
    promote(each_ground, 1)
    make_endpoint(each_ground)
    assert serving(each_ground) == [(1, "champion")]
    assert {"endpoint.created", "release.started"} <= set(actions(each_ground))


def test_an_endpoint_without_a_champion_waits_for_one_and_gets_it_by_promotion(ground: Ground) -> None:
    make_model(ground)
    make_version(ground)
    make_endpoint(ground)
    assert serving(ground) == []
    promote(ground, 1)
    assert serving(ground) == [(1, "champion")]


def test_promotion_moves_the_alias_and_the_release_of_every_endpoint_at_once(each_ground: Ground) -> None:
    make_model(each_ground)
    for content in (b"one", b"two"):
        make_version(each_ground, content=content)
    make_endpoint(each_ground)
    make_endpoint(each_ground, "delay-us")
    promote(each_ground, 1)
    promote(each_ground, 2)
    assert aliases(each_ground) == {"champion": 2}
    assert serving(each_ground) == serving(each_ground, "delay-us") == [(2, "champion")]
    history = each_ground.database.read(lambda tx: kept.history(tx, "delay-eu"))
    assert {(release.version, release.until_at) for release in history} == {(2, None), (1, NOW)}


def test_promoting_the_champion_again_changes_no_release(ground: Ground) -> None:
    make_model(ground)
    make_version(ground)
    make_endpoint(ground)
    promote(ground, 1)
    before = ground.database.read(lambda tx: kept.history(tx, "delay-eu"))
    promote(ground, 1)
    assert ground.database.read(lambda tx: kept.history(tx, "delay-eu")) == before


def test_promoting_a_shadow_ends_its_shadow_release(ground: Ground) -> None:
    make_model(ground)
    make_version(ground)
    make_version(ground)
    make_endpoint(ground)
    promote(ground, 1)
    add_shadow(ground, 2)
    assert serving(ground) == [(1, "champion"), (2, "shadow")]
    promote(ground, 2)
    assert serving(ground) == [(2, "champion")]


def test_a_challenger_that_becomes_champion_challenges_no_more(ground: Ground) -> None:
    make_model(ground)
    make_version(ground)
    make_version(ground)
    make_endpoint(ground)
    promote(ground, 1)
    promote(ground, 2, to="challenger", share=0.2)
    assert aliases(ground) == {"champion": 1, "challenger": 2}
    promote(ground, 2)
    assert aliases(ground) == {"champion": 2}
    assert serving(ground) == [(2, "champion")]


def test_the_champion_cannot_also_challenge(ground: Ground) -> None:
    make_model(ground)
    make_version(ground)
    make_endpoint(ground)
    promote(ground, 1)
    with pytest.raises(NotAllowed, match="cannot also challenge"):
        promote(ground, 1, to="challenger")
    assert aliases(ground) == {"champion": 1}


def test_an_alias_set_through_mlflow_deploys_an_ungoverned_model(ground: Ground) -> None:
    make_model(ground)
    make_version(ground)
    make_endpoint(ground)
    ground.database.write(lambda tx: promotions.set_alias(tx, "delay", "champion", 1, by="ann", now=NOW))
    assert serving(ground) == [(1, "champion")]


def test_any_other_alias_is_a_name_and_nothing_more(ground: Ground) -> None:
    make_model(ground)
    make_version(ground)
    make_endpoint(ground)
    ground.database.write(lambda tx: promotions.set_alias(tx, "delay", "nightly", 1, by="ann", now=NOW))
    assert (aliases(ground), serving(ground)) == ({"nightly": 1}, [])
    ground.database.write(lambda tx: promotions.delete_alias(tx, "delay", "nightly", by="ann", now=NOW))
    ground.database.write(lambda tx: promotions.delete_alias(tx, "delay", "nightly", by="ann", now=NOW))
    assert aliases(ground) == {}


def test_an_unapproved_version_of_a_governed_model_is_neither_promoted_nor_given_the_alias(ground: Ground) -> None:
    make_model(ground)
    make_version(ground)
    make_endpoint(ground)
    govern(ground)
    with pytest.raises(GateNotMet, match="not approved") as refusal:
        promote(ground, 1)
    assert refusal.value.failures
    for alias in ("champion", "challenger"):
        with pytest.raises(GateNotMet):
            ground.database.write(lambda tx, alias=alias: promotions.set_alias(tx, "delay", alias, 1, by="a", now=NOW))
    assert (aliases(ground), serving(ground)) == ({}, [])


def test_an_approved_version_is_promoted_and_its_champion_alias_is_not_deleted(ground: Ground) -> None:
    make_model(ground)
    version = make_version(ground)
    make_endpoint(ground)
    govern(ground)
    make_validator(ground)
    approve(ground, version)
    promote(ground, 1)
    assert serving(ground) == [(1, "champion")]
    with pytest.raises(NotAllowed, match="never deleted"):
        ground.database.write(lambda tx: promotions.delete_alias(tx, "delay", "champion", by="ann", now=NOW))
    assert aliases(ground) == {"champion": 1}


def test_an_endpoint_is_not_made_for_a_governed_champion_that_was_never_approved(ground: Ground) -> None:
    make_model(ground)
    make_version(ground)
    promote(ground, 1)
    govern(ground)
    with pytest.raises(GateNotMet):
        make_endpoint(ground)
    assert ground.database.read(lambda tx: endpoints.describe_all(tx, ground.settings)) == []


def test_a_shadow_needs_no_approval_but_a_challenger_does(ground: Ground) -> None:
    make_model(ground)
    make_version(ground)
    make_endpoint(ground)
    govern(ground)
    add_shadow(ground, 1)
    challenger = NewRelease(version=1, role="challenger", reason="to see", share=0.1)
    with pytest.raises(Conflict, match="in service at 'delay-eu' already"):
        ground.database.write(lambda tx: releases.add(tx, "delay-eu", challenger, by="ann", now=NOW))
    make_version(ground)
    unapproved = NewRelease(version=2, role="challenger", reason="to see", share=0.1)
    with pytest.raises(GateNotMet):
        ground.database.write(lambda tx: releases.add(tx, "delay-eu", unapproved, by="ann", now=NOW))


def test_deleting_the_challenger_alias_ends_the_challenge(ground: Ground) -> None:
    make_model(ground)
    make_version(ground)
    make_version(ground)
    make_endpoint(ground)
    promote(ground, 1)
    promote(ground, 2, to="challenger")
    ground.database.write(lambda tx: promotions.delete_alias(tx, "delay", "challenger", by="ann", now=NOW))
    assert serving(ground) == [(1, "champion")]


def test_deleting_the_champion_alias_of_an_ungoverned_model_takes_no_endpoint_down(ground: Ground) -> None:
    make_model(ground)
    make_version(ground)
    make_endpoint(ground)
    promote(ground, 1)
    ground.database.write(lambda tx: promotions.delete_alias(tx, "delay", "champion", by="ann", now=NOW))
    assert (aliases(ground), serving(ground)) == ({}, [(1, "champion")])


def test_a_shadow_is_ended_with_a_reason_and_a_champion_is_not(ground: Ground) -> None:
    make_model(ground)
    make_version(ground)
    make_version(ground)
    make_endpoint(ground)
    promote(ground, 1)
    shadow = add_shadow(ground, 2)

    def end(release_id: str) -> ReleaseInfo:
        return ground.database.write(
            lambda tx: releases.end(tx, "delay-eu", release_id, reason="seen enough", by="ann", now=NOW)
        )

    assert end(shadow.release_id).until_at == NOW
    with pytest.raises(Conflict, match="ended already"):
        end(shadow.release_id)
    champion = ground.database.read(lambda tx: kept.open_ones(tx, endpoint="delay-eu"))[0]
    with pytest.raises(NotAllowed, match="Promote another version"):
        end(champion.release_id)
    with pytest.raises(NotFound):
        end("no such release")
    ended = [event for event in ground.database.read(audit.search) if event.action == "release.ended"]
    assert ended[0].detail["reason"] == "seen enough"


def test_what_cannot_be_released_is_refused_with_what_to_do(ground: Ground) -> None:
    make_model(ground)
    make_version(ground)
    make_endpoint(ground)
    with pytest.raises(AlreadyExists, match="must be new"):
        make_endpoint(ground)
    with pytest.raises(NotFound):
        make_endpoint(ground, "other", "no-such-model")
    with pytest.raises(NotFound):
        promote(ground, 7)
    for wrong, error in (("champion", NotAllowed), ("challenger", InvalidInput)):
        new = NewRelease(version=1, role=wrong, reason="because")  # type: ignore[arg-type]
        with pytest.raises(error):
            ground.database.write(lambda tx, new=new: releases.add(tx, "delay-eu", new, by="ann", now=NOW))


def test_what_is_in_service_is_neither_deleted_nor_renamed(ground: Ground) -> None:
    make_model(ground)
    make_version(ground)
    make_endpoint(ground)
    ground.database.read(lambda tx: releases.check_not_in_service(tx, "delay"))
    promote(ground, 1)
    with pytest.raises(Conflict, match="in service"):
        ground.database.read(lambda tx: releases.check_not_in_service(tx, "delay", 1))
    ground.database.read(lambda tx: releases.check_not_in_service(tx, "delay", 2))


def test_a_version_that_is_suspended_answers_nowhere_any_more(ground: Ground) -> None:
    make_model(ground)
    version = make_version(ground)
    govern(ground)
    make_validator(ground)
    approved = approve(ground, version)
    make_endpoint(ground)
    promote(ground, 1)
    suspension = msgspec.structs.replace(approved, kind="suspend", state="approved", reason="wrong weather feed")
    ground.database.write(lambda tx: changes.follow(tx, suspension, now=NOW))
    assert serving(ground) == []
    assert "release.ended" in actions(ground)
    still_open = msgspec.structs.replace(suspension, state="open")
    ground.database.write(lambda tx: changes.follow(tx, still_open, now=NOW))


def test_webhooks_are_told_of_the_aliases_that_a_promotion_moves(ground: Ground) -> None:
    make_model(ground)
    for _ in range(2):
        make_version(ground)
    events = ["model_version_alias.created", "model_version_alias.deleted"]
    new, means = NewWebhook(name="chat", url="https://hooks.example/", events=events), webhooks.means_of(ground)
    ground.database.write(lambda tx: webhooks.create(tx, new, means, by="ann", now=NOW))
    promote(ground, 1)
    promote(ground, 2, to="challenger")
    promote(ground, 2)
    waiting = ground.database.read(lambda tx: outbox.due(tx, NOW, without=(), limit=10))
    told = sorted((one.event, *msgspec.json.decode(one.body)["data"].values()) for one in waiting)
    assert told == [
        (events[0], "delay", "challenger", "2"),
        (events[0], "delay", "champion", "1"),
        (events[0], "delay", "champion", "2"),
        (events[1], "delay", "challenger"),
    ]
