"""What a stored file looks like: read only as far as is shown, never run, and taken for hostile."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from tenure.records.base import Record
from tenure.store.artifacts import ArtifactStore
from tenure.web import parquet, wording
from tenure.web.cells import cell
from tenure.web.parquet_reader import Refused

TEXT_BYTES = 200 * 1024
TEXT_LINES = 2000
LINE_LENGTH = 2000
ROWS = 100
COLUMNS = 40
READABLE_LENGTH = 20_000
MLMODEL_BYTES = 1024 * 1024
DIGEST_BYTES = 256 * 1024 * 1024
FACT_LENGTH = 300
IMAGES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}
TABLES = {".csv": ",", ".tsv": "\t"}
Kind = Literal["text", "table", "image", "page", "model", "other"]


class SignatureColumn(Record):
    part: str
    name: str
    type: str
    required: bool


class Preview(Record):
    """A file's beginning as it is shown. `note` says what was left out or could not be read."""

    kind: Kind
    size_bytes: int
    text: str = ""
    heads: list[str] = []
    rows: list[list[str]] = []
    facts: list[tuple[str, str]] = []
    columns: list[SignatureColumn] = []
    note: str = ""


def media_type(store: ArtifactStore, key: str) -> str:
    """What a browser may show inline: an image by its first bytes, SVG and HTML by name; "" for all else."""
    name = key.rsplit("/", 1)[-1].lower()
    if name.endswith(".svg"):
        return "image/svg+xml"
    if name.endswith((".html", ".htm")):
        return "text/html; charset=utf-8"
    return _image(_head(store, key, 16))


def preview(store: ArtifactStore, key: str) -> Preview:
    """A file's preview. Raises NotFound; a file that cannot be read as what it seems is shown as it is."""
    name, size = key.rsplit("/", 1)[-1], store.size(key)
    lower = name.lower()
    media = media_type(store, key)
    if media:
        return Preview(kind="page" if media.startswith("text/html") else "image", size_bytes=size)
    if lower.endswith(".parquet"):
        return _parquet(store, key, size)
    head = _head(store, key, TEXT_BYTES)
    if name == "MLmodel" and (model := _model(store, key, size)):
        return model
    text = _text(head, cut=size > len(head))
    if text is None:
        return _other(store, key, size)
    for ending, mark in TABLES.items():
        if lower.endswith(ending):
            return _csv(text, mark, size, cut=size > len(head))
    return _as_text(text, lower, size, cut=size > len(head))


def _head(store: ArtifactStore, key: str, count: int) -> bytes:
    return _part(store, key, 0, count)


def _part(store: ArtifactStore, key: str, at: int, count: int) -> bytes:
    content = store.open(key)
    try:
        return b"".join(content.chunks(at, count))[:count] if content.size_bytes else b""
    finally:
        content.close()


def _image(head: bytes) -> str:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((media for mark, media in IMAGES.items() if head.startswith(mark)), "")


def _text(head: bytes, *, cut: bool) -> str | None:
    """Bytes as UTF-8 text; None for what is no text. A character that the end cut in two is left out."""
    if b"\0" in head:
        return None
    for missing in range(4 if cut else 1):
        try:
            return head[: len(head) - missing].decode()
        except UnicodeDecodeError:
            continue
    text = head.decode("utf-8", errors="replace")
    return text if text.count("\ufffd") * 20 < len(text) else None


def _as_text(text: str, name: str, size: int, *, cut: bool) -> Preview:
    note = f"The first {wording.size(TEXT_BYTES)} of {wording.size(size)}." if cut else ""
    if name.endswith(".json") and not cut:
        try:
            text = msgspec.json.format(text.encode(), indent=2).decode()
        except (msgspec.MsgspecError, RecursionError):
            note = "This is not JSON that can be read; it is shown as it is."
    lines = text.splitlines()
    if len(lines) > TEXT_LINES:
        note = f"The first {wording.count(TEXT_LINES)} lines of a file of {wording.size(size)}."
    shown = [line if len(line) <= LINE_LENGTH else f"{line[:LINE_LENGTH]}…" for line in lines[:TEXT_LINES]]
    return Preview(kind="text", size_bytes=size, text="\n".join(shown), note=note)


def _csv(text: str, mark: str, size: int, *, cut: bool) -> Preview:
    """Rows of a table. The last line of a file that was cut is left out: it may be half of one."""
    if cut:
        text = text[: text.rfind("\n") + 1]
    first = text.split("\n", 1)[0]
    mark = ";" if mark == "," and first.count(";") > first.count(",") else mark
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text), delimiter=mark):
            rows.append([cell(value) for value in row[:COLUMNS]])
            if len(rows) > ROWS:
                break
    except csv.Error:
        return _as_text(text, "", size, cut=cut)
    if not rows:
        return Preview(kind="text", size_bytes=size)
    told = f"The first {len(rows) - 1} rows." if cut or len(rows) > ROWS else ""
    wide = max(len(row) for row in rows)
    heads = [*rows[0], *[""] * (wide - len(rows[0]))]
    filled = [[*row, *[""] * (wide - len(row))] for row in rows[1 : ROWS + 1]]
    return Preview(kind="table", size_bytes=size, heads=heads, rows=filled, note=_narrowed(told, first.count(mark) + 1))


def _narrowed(note: str, columns: int) -> str:
    return f"{note} The first {COLUMNS} of {columns} columns.".strip() if columns > COLUMNS else note


def _parquet(store: ArtifactStore, key: str, size: int) -> Preview:
    """The first rows, read by a process of its own: decoders of Parquet are large and the file is anybody's."""
    found = parquet.reader.head(lambda at, count: _part(store, key, at, count), size, rows=ROWS, columns=COLUMNS)
    if isinstance(found, Refused):
        return Preview(kind="other", size_bytes=size, note=found.reason)
    note = f"The first {len(found.rows)} of {wording.count(found.row_count)} rows."
    return Preview(
        kind="table", size_bytes=size, heads=found.heads, rows=found.rows, note=_narrowed(note, found.column_count)
    )


def _model(store: ArtifactStore, key: str, size: int) -> Preview | None:
    """An MLmodel file as facts. Only plain values are told: YAML can hold a text that is a billion times itself."""
    import yaml

    if size > MLMODEL_BYTES:
        return None
    try:
        body = yaml.load(_head(store, key, MLMODEL_BYTES), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - the safe loader
    except (yaml.YAMLError, UnicodeError, RecursionError, ValueError):
        return None
    if not isinstance(body, dict):
        return None
    facts = list(
        _facts(body, ("mlflow_version", "utc_time_created", "run_id", "model_id", "model_uuid", "artifact_path"))
    )
    if isinstance(body.get("model_size_bytes"), int):
        facts.append(("model size", wording.size(body["model_size_bytes"])))
    flavors = body.get("flavors")
    for flavor, told in list(flavors.items())[:20] if isinstance(flavors, dict) else ():
        values = (
            ", ".join(f"{name} {value}" for name, value in _facts(told, list(told)[:12]))
            if isinstance(told, dict)
            else ""
        )
        facts.append((f"flavor {str(flavor)[:60]}", values or "–"))
    signature = body.get("signature")
    columns = list(_signature(signature)) if isinstance(signature, dict) else []
    note = "" if signature else "It has no signature: what it takes and gives is not said."
    return Preview(kind="model", size_bytes=size, facts=facts, columns=columns, note=note)


def _facts(body: dict[Any, Any], names: Any) -> Iterator[tuple[str, str]]:
    for name in names:
        value = body.get(name)
        if isinstance(value, str | int | float | bool) and value != "":
            yield str(name)[:60].replace("_", " "), str(value)[:FACT_LENGTH]


def _signature(signature: dict[Any, Any]) -> Iterator[SignatureColumn]:
    for part in ("inputs", "outputs", "params"):
        told = signature.get(part)
        try:
            listed = json.loads(told) if isinstance(told, str) and len(told) <= MLMODEL_BYTES else []
        except (ValueError, RecursionError):
            continue
        for one in listed[:200] if isinstance(listed, list) else ():
            if isinstance(one, dict):
                kind = one.get("type")
                yield SignatureColumn(
                    part=part[:-1],
                    name=cell(one.get("name", "–")),
                    type=cell(kind if kind != "tensor" else one.get("tensor-spec", {})),
                    required=one.get("required", True) is not False,
                )


def _other(store: ArtifactStore, key: str, size: int) -> Preview:
    if size > DIGEST_BYTES:
        return Preview(kind="other", size_bytes=size, note="No preview for files of this kind.")
    _, digest = store.sha256(key)
    return Preview(
        kind="other", size_bytes=size, facts=[("SHA-256", digest)], note="No preview for files of this kind."
    )


def readable(text: str) -> str:
    """JSON that a client sent, set out over lines and cut to what is shown; other text as it is."""
    if len(text) <= TEXT_BYTES:
        with contextlib.suppress(msgspec.MsgspecError, RecursionError, UnicodeError):
            text = msgspec.json.format(text.encode(), indent=2).decode()
    return text if len(text) <= READABLE_LENGTH else f"{text[:READABLE_LENGTH]}…"
