"""People, files, cards and profiles as stored, on both databases."""

from msgspec.structs import asdict

from tenure.manage import model_files as files
from tenure.records.base import Instant
from tenure.records.cards import Card
from tenure.records.people import Grant, Person, RoleHeld
from tenure.records.profiles import Profile
from tenure.store import cards, grants, model_files, people, profiles
from tenure.store.ground import Ground

NOW = Instant(1_750_000_000_000_000)


def test_every_model_has_its_latest_file(each_ground: Ground):
    for model, owner in (("b", "first"), ("a", "first"), ("b", "second")):
        file = files.parse({"model": model, "purpose": "warn", "owner": owner})
        each_ground.database.write(lambda tx, file=file: files.apply(tx, file, by="ann", now=NOW))
    found = each_ground.database.read(model_files.all_current)
    assert [(one.model, one.revision, one.file.owner) for one in found] == [("a", 1, "first"), ("b", 2, "second")]
    assert each_ground.database.read(lambda tx: model_files.current(tx, "c")) is None


def test_a_person_keeps_roles_and_gains_an_epoch(each_ground: Ground):
    person = Person(name="ada", printed_name="Ada", roles=[], created_at=NOW)
    each_ground.database.write(lambda tx: people.add(tx, person, "hash"))
    assert each_ground.database.read(people.list_all) == [person]
    roles = [RoleHeld(role="validator", since_at=1), RoleHeld(role="engineer", since_at=2, model="late")]
    for number, held in enumerate(roles):
        given = Grant(grant_id=str(number), principal="ada", granted_by="owner", **asdict(held))
        each_ground.database.write(lambda tx, given=given: grants.add(tx, given))
    each_ground.database.write(lambda tx: people.end_sessions(tx, "ada"))
    each_ground.database.write(lambda tx: people.set_password(tx, "ada", "other"))
    each_ground.database.write(lambda tx: people.end_sessions(tx, "ada"))
    account = each_ground.database.read(lambda tx: people.get(tx, "ada"))
    assert account is not None
    assert (account.person.roles, account.password_hash, account.session_epoch) == (roles, "other", 4)
    assert each_ground.database.read(lambda tx: people.get(tx, "eve")) is None


def test_a_card_has_revisions_and_a_profile_is_replaced(each_ground: Ground):
    for revision, scope in ((1, "old"), (2, "new")):
        written = cards.WrittenCard(revision, Card(scope=scope), "ann", NOW)
        each_ground.database.write(lambda tx, written=written: cards.add(tx, "m", 1, written, "sha256:x"))
    found = each_ground.database.read(lambda tx: cards.current(tx, "m", 1))
    assert found is not None
    assert (found.revision, found.card.scope) == (2, "new")
    for rows in (1, 2):
        profile = Profile(rows=rows, columns={})
        each_ground.database.write(
            lambda tx, profile=profile: profiles.put(tx, "m", 1, profile, f"sha256:{profile.rows}", by="ann", now=NOW)
        )
    stored = each_ground.database.read(lambda tx: profiles.get(tx, "m", 1))
    assert stored is not None
    assert (stored.profile.rows, stored.digest) == (2, "sha256:2")
    assert each_ground.database.read(lambda tx: profiles.digest(tx, "m", 2)) is None
