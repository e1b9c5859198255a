from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as some

from tenure.records.provenance import (
    NOTHING,
    PART_COUNT,
    PART_LENGTH,
    Changed,
    Environment,
    Library,
    Package,
    environment_difference,
    library_line,
    lines_of,
    package_line,
    parts_of,
    provenance_of,
)
from tenure.records.tracking import Dataset, DatasetInput, KeyValue

COMMIT = "a" * 40
SHA = "sha256:" + "b" * 64
names = some.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)
versions = some.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}(\+[a-z0-9]{1,6})?", fullmatch=True)
origins = some.sampled_from(["", "editable", "repository", f"git+https://example.org/x@{COMMIT}", SHA])
packages = some.lists(
    some.builds(Package, name=names, version=versions, origin=origins), max_size=12, unique_by=lambda one: one.name
)
words = some.from_regex(r"[a-z0-9._]{1,12}", fullmatch=True) | some.just("")
libraries = some.lists(
    some.builds(Library, name=names.map("lib".__add__), version=words, package=words, digest=words), max_size=30
)


def told() -> dict[str, str]:
    """The tags of a run of a clean commit."""
    numpy = parts_of(["numpy==2.1.0"], "tenure.environment.packages")
    return {"tenure.code.commit": COMMIT, "tenure.code.dirty": "false", **numpy}


def environment(found: list[Package] | None, **more: str) -> Environment:
    return Environment(packages=found, **more)


@settings(max_examples=25)
@given(packages, libraries)
def test_what_a_client_tells_is_what_is_read(found, loaded):
    tags = {
        **parts_of(map(package_line, found), "tenure.environment.packages"),
        **parts_of(map(library_line, loaded), "tenure.environment.libraries"),
    }
    read = provenance_of(tags).environment
    assert read.packages == found
    assert read.libraries == loaded
    assert read.is_locked == all(package.origin != "editable" for package in found)


@settings(max_examples=40)
@given(some.lists(some.text(alphabet=some.characters(exclude_characters="\n"), min_size=1, max_size=900), max_size=40))
def test_a_list_in_parts_comes_back_whole_and_no_part_is_too_long(lines):
    tags = parts_of(lines, "x")
    assert lines_of(tags, "x") == lines
    assert all(len(text) <= PART_LENGTH for text in tags.values())


def test_a_list_that_was_cut_or_lost_a_part_counts_as_not_told():
    lines = [f"package-{number}==1.0" for number in range(1000)]
    tags = parts_of(lines, "x")
    assert len(tags) > 3
    cut = {key: value[:1000] for key, value in tags.items()}
    lost = {key: value for key, value in tags.items() if key != "x.2"}
    assert lines_of(cut, "x") is None
    assert lines_of(lost, "x") is None
    assert lines_of({}, "x") is None
    assert parts_of(("a" * PART_LENGTH for _ in range(PART_COUNT + 1)), "x") == {}


@given(some.dictionaries(some.sampled_from(sorted(told())), some.text(max_size=50)))
def test_nonsense_in_tags_is_not_told_and_never_raises(nonsense):
    read = provenance_of({**told(), **nonsense})
    assert read.code.commit in (None, COMMIT) or read.code.commit == nonsense.get("tenure.code.commit")
    assert read.code.dirty in (None, True, False)


def test_of_a_client_without_the_plugin_is_known_what_mlflow_records():
    tags = {
        "mlflow.source.git.commit": COMMIT,
        "mlflow.source.git.repoURL": "git@example.org:team/flights.git",
        "mlflow.source.name": "train.py",
    }
    code = provenance_of(tags).code
    assert (code.commit, code.remote, code.path) == (COMMIT, "example.org:team/flights.git", "train.py")
    assert code.dirty is None
    assert provenance_of({}) == NOTHING
    assert not provenance_of({"team": "pricing"}).is_known


def test_seeds_are_read_as_numbers():
    tags = {"tenure.seed.value": "42", "tenure.seed.libraries": "random, numpy", "tenure.seed.hash": "random"}
    seeds = provenance_of(tags).seeds
    assert (seeds.value, seeds.libraries, seeds.hash_seed) == (42, ["random", "numpy"], "random")
    assert provenance_of({"tenure.seed.value": "many", "tenure.seed.hash": "secret"}).seeds == NOTHING.seeds


def test_a_dataset_has_the_digest_of_all_its_bytes_when_it_was_recorded_here():
    def given_as(name: str, *tags: KeyValue) -> DatasetInput:
        return DatasetInput(dataset=Dataset(name=name, digest="d1", source_type="local", source="{}"), tags=[*tags])

    use = KeyValue(key="mlflow.data.context", value="training")
    whole = given_as("march", use, KeyValue(key="tenure.sha256", value="c" * 64))
    data = provenance_of({}, [whole, given_as("april", KeyValue(key="tenure.sha256", value="x"))]).data
    assert [(one.name, one.sha256, one.use) for one in data] == [("april", None, ""), ("march", "c" * 64, "training")]


@settings(max_examples=40)
@given(packages, packages)
def test_a_difference_is_what_turns_one_environment_into_the_other(before, after):
    found = environment_difference(environment(before), environment(after))
    by_name = {package.name: package for package in before}
    for package in found.removed:
        del by_name[package.name]
    by_name |= {package.name: package for package in found.added}
    changed = {one.name for one in found.changed}
    by_name |= {package.name: package for package in after if package.name in changed}
    assert by_name == {package.name: package for package in after}
    assert found.is_same == (sorted(before, key=str) == sorted(after, key=str))
    back = environment_difference(environment(after), environment(before))
    assert (back.added, back.removed) == (found.removed, found.added)


def test_a_difference_names_versions_origins_and_the_machine():
    before = environment([Package(name="torch", version="2.1"), Package(name="ours", version="1")], python="3.11.2")
    after = environment(
        [Package(name="torch", version="2.2"), Package(name="ours", version="1", origin="editable")], python="3.12.0"
    )
    found = environment_difference(before, after)
    assert found.changed == [
        Changed(name="ours", before="1", after="1 @ editable"),
        Changed(name="torch", before="2.1", after="2.2"),
    ]
    assert found.machine == [Changed(name="python", before="3.11.2", after="3.12.0")]


def test_packages_that_one_side_did_not_tell_are_not_called_removed():
    found = environment_difference(environment([Package(name="torch", version="2.1")]), environment(None))
    assert not found.packages_known
    assert not found.is_same
    assert (found.added, found.removed, found.changed) == ([], [], [])


def test_two_copies_of_one_library_are_compared_together():
    system = Library(name="libgomp", version="1.0.0", digest="build:aa")
    wheel = Library(name="libgomp", version="1.0.0", package="scikit-learn", digest="build:bb")
    found = environment_difference(Environment(libraries=[system]), Environment(libraries=[wheel, system]))
    assert found.libraries_changed == [
        Changed(
            name="libgomp",
            before="1.0.0 build:aa",
            after="1.0.0 build:aa, 1.0.0 build:bb of scikit-learn",
        )
    ]
