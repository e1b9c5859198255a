"""What was measured of a model's features, read from its folder as data. A file that is not what it should be is told
as a problem: it never keeps a page from coming."""

from __future__ import annotations

import hashlib
import math
from typing import NamedTuple

from tenure.errors import InvalidInput, NotFound
from tenure.records.features import FORMAT, LARGEST_BYTES, PATH, MeasuredFeatures
from tenure.records.parsing import parse
from tenure.records.registry import ModelVersionInfo
from tenure.store.roots import Opened


class Measured(NamedTuple):
    """`found` is None when there is nothing, or nothing that can be read: then `problem` says why."""

    found: MeasuredFeatures | None = None
    problem: str = ""
    is_pinned: bool | None = None


def of_version(opened: Opened | None, info: ModelVersionInfo) -> Measured:
    """What was measured of a version. `is_pinned`: the file was there when it was registered, with this content."""
    pinned = next((file.sha256 for file in info.files if file.path == PATH), None)
    measured = read(opened, expected=pinned)
    known = measured.found is not None or measured.problem
    return measured._replace(is_pinned=pinned is not None) if known else measured


def read(opened: Opened | None, *, expected: str | None = None) -> Measured:
    """What was measured of the model whose folder this is; `expected` is the SHA-256 that the file must have."""
    if opened is None:
        return Measured()
    key = opened.below(PATH)
    try:
        size = opened.store.size(key)
        if size > LARGEST_BYTES:
            return Measured(problem=f"{PATH} may have {LARGEST_BYTES:,} bytes. It has {size:,}.")
        content = b"".join(opened.store.read(key))
    except NotFound:
        return Measured(problem=f"{PATH} is pinned, but is not there.") if expected else Measured()
    if expected and hashlib.sha256(content).hexdigest() != expected:
        return Measured(problem=f"{PATH} has other content than when the version was registered.")
    try:
        return Measured(found=checked(content))
    except InvalidInput as refusal:
        at = f" (at {refusal.where})" if refusal.where else ""
        return Measured(problem=f"{refusal.message.rstrip('.')}{at}.")


def checked(content: bytes) -> MeasuredFeatures:
    """The file's content as a record. Raises InvalidInput with the path of what does not fit."""
    found = parse(content, MeasuredFeatures, named=PATH)
    if found.format != FORMAT:
        raise InvalidInput(f"{PATH} must have the format {FORMAT}. Got {found.format}.", where="format")
    names: set[str] = set()
    for place, one in enumerate(found.features):
        if one.name in names:
            raise InvalidInput(f"{PATH} must name a feature once. Got {one.name!r} twice.", where=f"features[{place}]")
        names.add(one.name)
        worth = one.importance
        bounds = [] if worth is None else [bound for bound in (worth.low, worth.value, worth.high) if bound is not None]
        if bounds != sorted(bounds) or not all(math.isfinite(bound) for bound in bounds):
            raise InvalidInput(
                f"{PATH}: an importance must lie within its interval.", where=f"features[{place}].importance"
            )
    return found
