"""What the gateways route by: from rows to a table, published in order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tenure.build import model_versions
from tenure.deploy import endpoints, promotions, releases, routing
from tenure.records.endpoints import NewEndpoint
from tenure.serving import routing as published
from tenure.store.ground import Ground

from .makers import NOW, make_model, make_version


@pytest.fixture
def deployed(ground: Ground) -> Ground:
    make_model(ground)
    make_version(ground, content=b"one")
    make_version(ground, content=b"two")
    new = NewEndpoint(name="delay-eu", model="delay")
    ground.database.write(lambda tx: endpoints.create(tx, new, by="ann", now=NOW))
    promote(ground, 1)
    return ground


def promote(ground: Ground, version: int, to: promotions.Role = "champion") -> None:
    ground.database.write(
        lambda tx: promotions.promote(tx, "delay", version, to=to, reason="better", by="ann", now=NOW, share=0.25)
    )


def test_the_table_says_where_the_files_lie_what_they_must_be_and_what_goes_in(deployed: Ground) -> None:
    table = deployed.database.read(routing.table)
    (release,) = table.routes["delay-eu"].releases
    version = deployed.database.read(lambda tx: model_versions.get(tx, "delay", 1))
    assert (release.version, release.role, release.share) == (1, "champion", 1.0)
    assert (release.digest, release.files, release.inputs) == (version.digest, version.files, version.inputs)
    assert [column.name for column in release.inputs] == ["distance"]
    for file in release.files:
        opened = deployed.opened(release.location)
        assert opened is not None
        assert opened.store.size(opened.below(file.path)) == file.size_bytes


def test_the_champion_answers_what_the_challenger_leaves(deployed: Ground) -> None:
    promote(deployed, 2, to="challenger")
    route = deployed.database.read(routing.table).routes["delay-eu"]
    assert [(release.role, release.share) for release in route.releases] == [("champion", 0.75), ("challenger", 0.25)]


def test_releases_that_ended_are_not_routed_to(deployed: Ground) -> None:
    promote(deployed, 2)
    route = deployed.database.read(routing.table).routes["delay-eu"]
    assert [release.version for release in route.releases] == [2]


def test_the_epoch_grows_with_every_change_of_what_answers(deployed: Ground) -> None:
    epochs = [deployed.database.read(routing.epoch)]
    shadow = deployed.database.write(
        lambda tx: releases.add_shadow(tx, "delay-eu", 2, reason="to see", by="ann", now=NOW)
    )
    epochs.append(deployed.database.read(routing.epoch))
    deployed.database.write(
        lambda tx: releases.end(tx, "delay-eu", shadow.release_id, reason="seen", by="ann", now=NOW)
    )
    epochs.append(deployed.database.read(routing.epoch))
    promote(deployed, 2)
    epochs.append(deployed.database.read(routing.epoch))
    assert epochs == sorted(set(epochs))


def test_publishing_from_many_threads_never_goes_back(deployed: Ground) -> None:
    def change_and_publish(version: int) -> None:
        promote(deployed, version)
        routing.publish(deployed)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(change_and_publish, [1, 2] * 10))
    last = deployed.database.read(routing.table)
    assert published.read_table(deployed.settings.folder) == last


def test_a_deleted_version_is_not_routed_to_and_the_others_stay(deployed: Ground) -> None:
    deployed.database.write(lambda tx: model_versions.delete(tx, "delay", "1", by="ann", now=NOW))
    assert deployed.database.read(routing.table).routes["delay-eu"].releases == []


def test_an_endpoint_is_described_with_its_address_and_releases(deployed: Ground) -> None:
    info = deployed.database.read(lambda tx: endpoints.describe(tx, "delay-eu", deployed.settings))
    assert info.scoring_url == "http://127.0.0.1:5001/endpoints/delay-eu/invocations"
    assert [release.version for release in info.releases] == [1]
    assert info.health == []
