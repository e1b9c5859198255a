"""What a version's files are: read, never loaded, whatever they are packed in."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import struct
import sys
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tenure.build import manifests, model_versions, registered_models
from tenure.manage import contents, facts, pickle_reader, published
from tenure.records.contents import Contents, Scan
from tenure.records.registry import ModelVersionInfo, NewVersion
from tenure.store import scans
from tenure.store.database import Transaction
from tenure.store.ground import Ground

from .makers import BEFORE, MODEL

MARK = "tenure-was-here"
PLACE = "1/models/m-0/artifacts"


class Evil:
    """Unpickled, it would leave a mark."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {MARK}",)


EVIL = pickle.dumps(Evil())


def archived(name: str, content: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        (EVIL, ".pkl"),
        (pickle.dumps(Evil(), 0), ".txt"),
        (EVIL, ""),
        (zlib.compress(EVIL), ".joblib"),
        (gzip.compress(EVIL), ".pkl"),
        (bz2.compress(EVIL), ".pkl"),
        (lzma.compress(EVIL), ".pkl"),
        (lzma.compress(EVIL, lzma.FORMAT_ALONE), ".pkl"),
        (archived("archive/data.pkl", EVIL), ".pt"),
        (EVIL[:-1], ".pkl"),
    ],
    ids=["plain", "as text", "no suffix", "zlib", "gzip", "bzip2", "xz", "lzma", "zip", "cut off"],
)
def test_a_pickle_is_found_in_whatever_it_is_packed(
    content: bytes, suffix: str, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    found = pickle_reader.scan(content, suffix)
    assert [(one.name, one.level) for one in found.imports] == [("system", "dangerous")]
    assert contents.kind_of(suffix, found) == "pickle"
    assert not (tmp_path / MARK).exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"numpy==2.0\n",
        b'{"a": 1}',
        pickle.dumps({"a": [1, 2.5, "b"]}),
        archived("schema.json", b"{}"),
        b"\x08\x07\x12\x04onnx",
    ],
    ids=["empty", "text", "json", "plain pickle", "archive", "protobuf"],
)
def test_what_runs_nothing_is_data(content: bytes) -> None:
    found = pickle_reader.scan(content, ".any")
    assert (found.state, found.imports) == ("scanned", [])
    assert contents.kind_of(".any", found) == "data"


@pytest.mark.parametrize(
    "content",
    [
        b"\x04\x22\x4d\x18 packed by lz4",
        b"\x78\x9c no zlib",
        zlib.compress(b"\0" * (pickle_reader.UNPACKED_BYTES + 1), 1),
    ],
    ids=["lz4", "broken", "bomb"],
)
def test_what_cannot_be_unpacked_is_not_called_data(content: bytes) -> None:
    found = pickle_reader.scan(content, ".joblib")
    assert contents.kind_of(".joblib", found) == "unknown"


def bomb_before(pickled: bytes, size: int) -> bytes:
    """An archive of a pickle that begins with so many bytes of nothing, of which it has a thousandth."""
    block = 2**24
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = packer.compress(b"\x80\x04\x8e" + struct.pack("<Q", size)) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    nothing = packer.compress(bytes(block)) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = head + nothing * (size // block) + packer.compress(b"0" + pickled) + packer.flush()
    name, whole = b"data.pkl", 11 + size + 1 + len(pickled)
    fields = struct.pack("<HHHHHIII", 20, 0, 8, 0, 0, 0, len(packed), whole)
    local = b"PK\3\4" + fields + struct.pack("<HH", len(name), 0) + name + packed
    central = b"PK\1\2" + struct.pack("<H", 20) + fields + struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name
    return local + central + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)


def closed(content: bytes) -> bytes:
    """The archive with its only member said to be encrypted."""
    changed = bytearray(content)
    changed[6] |= 1
    changed[content.rindex(b"PK\1\2") + 8] |= 1
    return bytes(changed)


@pytest.mark.parametrize(
    "content",
    [
        bomb_before(EVIL[2:], 3 * 2**30),
        archived("inner.zip", archived("data.pkl", EVIL)),
        archived("inner.pkl.gz", gzip.compress(EVIL)),
        closed(archived("data.pkl", EVIL)),
        gzip.compress(b"\x80\x04" + b"N0" * 50_000 + EVIL[2:]),
    ],
    ids=["bomb", "archive in archive", "packed in archive", "encrypted", "many opcodes"],
)
def test_what_hides_behind_too_much_or_too_many_is_not_called_data(content: bytes, monkeypatch: Any) -> None:
    monkeypatch.setattr(pickle_reader, "MOST_OPCODES", 50_000)
    assert len(content) < 4_000_000
    found = pickle_reader.scan(content, ".bin")
    assert found.state == "part"
    assert contents.kind_of(".bin", found) != "data"


def test_an_archive_behind_a_pickle_does_not_hide_it() -> None:
    found = pickle_reader.scan(EVIL + archived("schema.json", b"{}"), ".pkl")
    assert [(one.name, one.level) for one in found.imports] == [("system", "dangerous")]


def test_a_word_in_the_files_themselves_makes_nothing_trusted(ground: Ground) -> None:
    """What a version says of itself is no evidence: only what was found in its bytes."""
    word = b"flavors: {sklearn: {skops_trusted_types: [os.system], pickled: false}}\nruns_code: false\n"
    info = version_with(
        ground, {"model.pkl": EVIL, "trusted.yaml": word, "tenure/contents.json": b'{"runs_code":false}'}
    )
    found = contents.look_into(ground, info.name, info.version)
    assert found.runs_code is True
    assert contents.flagged(found)


def test_code_is_code_and_what_hides_code_is_not_judged() -> None:
    nothing = Scan(scanner="s", state="scanned", imports=[])
    assert contents.kind_of(".py", nothing) == "code"
    assert contents.kind_of(".keras", nothing) == "unknown"


def version_with(ground: Ground, files: dict[str, bytes]) -> ModelVersionInfo:
    """A version whose files are an MLmodel and these."""
    for path, content in {"MLmodel": b"flavors: {}", **files}.items():
        ground.artifacts.write(f"{PLACE}/{path}", [content])
    where = f"mlflow-artifacts:/{PLACE}"
    new = NewVersion(name=MODEL, source=where, storage_location=where)

    def register(tx: Transaction) -> ModelVersionInfo:
        registered_models.create(tx, MODEL, description=None, tags=[], by="ann", now=BEFORE)
        return model_versions.register(tx, new, manifests.pin(ground.artifacts, PLACE), by="ann", now=BEFORE)

    return ground.database.write(register)


def kinds(found: Contents) -> dict[str, str]:
    return {file.path: file.kind for file in found.files}


def test_a_versions_files_are_looked_into_once_and_remembered(each_ground: Ground, monkeypatch: Any) -> None:
    info = version_with(each_ground, {"model.pkl": EVIL, "code/load.py": b"print(1)"})
    found = contents.look_into(each_ground, info.name, info.version)
    assert kinds(found) == {"MLmodel": "data", "model.pkl": "pickle", "code/load.py": "code"}
    assert found.runs_code
    assert contents.flagged(found) == [f"{os.system.__module__}.system in model.pkl"]
    monkeypatch.setattr(contents, "COMMAND", ("false",))
    assert contents.look_into(each_ground, info.name, info.version) == found


def test_data_alone_runs_no_code(ground: Ground) -> None:
    info = version_with(ground, {"model.ubj": b"{L\x00"})
    assert contents.look_into(ground, info.name, info.version).runs_code is False


def test_what_the_files_are_is_a_fact_once_their_bytes_are_checked(ground: Ground) -> None:
    info = version_with(ground, {"model.pkl": EVIL})
    before = ground.database.read(
        lambda tx: facts.gather(tx, info.name, info.version, None, published.for_model(tx, info.name, BEFORE))
    )
    assert before.contents is None
    checked = facts.check_bytes(ground, info.name, info.version)
    known = ground.database.read(
        lambda tx: facts.gather(tx, info.name, info.version, checked, published.for_model(tx, info.name, BEFORE))
    ).contents
    assert known is not None
    assert (known.runs_code, known.pickles, known.unread) == (True, ["model.pkl"], [])


def test_a_file_that_ends_the_reader_is_not_kept_and_the_others_are_read(ground: Ground, monkeypatch: Any) -> None:
    info = version_with(ground, {"model.pkl": EVIL})
    dies_at_first = (sys.executable, "-c", "import sys; sys.stdin.buffer.readline()")
    monkeypatch.setattr(contents, "COMMAND", dies_at_first)
    assert contents.look_into(ground, info.name, info.version).files == []
    monkeypatch.undo()
    assert contents.look_into(ground, info.name, info.version).runs_code


def test_a_file_that_is_too_large_is_said_to_be(ground: Ground, monkeypatch: Any) -> None:
    monkeypatch.setattr(contents, "LARGEST_BYTES", 1000)
    info = version_with(ground, {"model.pkl": b"x" * 1001})
    found = contents.look_into(ground, info.name, info.version)
    assert {file.path: file.scan.state for file in found.files}["model.pkl"] == "too_large"
    assert found.runs_code is None


def test_a_file_that_changed_after_it_was_pinned_is_not_scanned_under_its_digest(ground: Ground) -> None:
    info = version_with(ground, {"model.pkl": b"numpy"})
    ground.artifacts.write(f"{PLACE}/model.pkl", [EVIL])
    contents.look_into(ground, info.name, info.version)
    known = ground.database.read(lambda tx: scans.of_files(tx, info.files, pickle_reader.SCANNER))
    assert all(not scan.imports for scan in known.values())


def test_whoever_asks_at_once_shares_one_look(ground: Ground, monkeypatch: Any) -> None:
    info = version_with(ground, {"model.pkl": EVIL})
    looked, begun = [], contents._scanned

    def counted(*given: Any) -> Any:
        looked.append(len(given[1]))
        return begun(*given)

    monkeypatch.setattr(contents, "_scanned", counted)
    with ThreadPoolExecutor(4) as several:
        found = list(several.map(lambda _: contents.look_into(ground, info.name, info.version), range(4)))
    assert [count for count in looked if count] == [2]
    assert all(one == found[0] for one in found)
