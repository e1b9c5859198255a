"""What the forms to deploy and to promote ask for, read from their fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from tenure.errors import InvalidInput
from tenure.records.endpoints import EndpointName
from tenure.records.placements import NewPlacement
from tenure.web.forms import record, text

Kind = Literal["deploy", "promote"]
NEW = ""
"""What the list of endpoints says for one that is to be made."""
UNSAID = "not said yet"
"""Stands for the reason while one only looks."""
FIELDS = {"role": "to", "target": "to", "target.endpoint": "endpoint", "target.share": "share", "name": "named"}
"""The fields of the form by what the verbs call them."""
PERCENT = re.compile(r"\s*(\d{1,3}(?:[.,]\d{1,6})?)\s*%?\s*")


def asked(kind: Kind, name: str, data: Mapping[str, str]) -> NewPlacement:
    """What the form asks for. Raises InvalidInput naming the field."""
    form = dict(data)
    to, at, is_new = data.get("to", ""), "", False
    if kind == "deploy":
        at, is_new = data.get("endpoint", NEW), data.get("endpoint", NEW) == NEW
        at = _new_name(form) if is_new else at
    if to not in (("champion", "challenger", "shadow") if kind == "deploy" else ("champion", "challenger")):
        raise InvalidInput("Choose what the version is to do.", where="to")
    part = {"challenger": "share", "shadow": "mirrored"}.get(to)
    return record(
        NewPlacement,
        kind=kind,
        model=name,
        version=_number(data.get("version", "")),
        to=to,
        reason=text(form, "reason"),
        endpoint=at,
        is_new=is_new,
        share=_share(form, part) if part else 0.0,
    )


def _new_name(form: dict[str, str]) -> str:
    given = form.get("named", "").strip()
    try:
        return msgspec.convert(given, EndpointName)
    except msgspec.ValidationError:
        raise InvalidInput(
            "The name of an endpoint must be small letters, digits and hyphens, begin with a letter or a digit, and "
            f"have at most 63 characters. Got {given[:80]!r}.",
            where="named",
        ) from None


def _number(said: str) -> int:
    if not (said.isascii() and said.isdecimal() and len(said) < 10):
        raise InvalidInput("Choose a version.", where="version")
    return int(said)


def _share(form: dict[str, str], field: str) -> float:
    """A share that is given in percent, 0–1. A challenger leaves something to the champion; a shadow may see all."""
    told = PERCENT.fullmatch(form.get(field, ""))
    share = float(told[1].replace(",", ".")) / 100 if told else -1.0
    if not (0 < share < 1 or (field == "mirrored" and share == 1)):
        what, most = ("The share", "less than 100") if field == "share" else ("What is copied", "at most 100")
        raise InvalidInput(
            f"{what} must be more than 0 and {most} %. Got {form.get(field, '')[:40]!r}. Write 10 for 10 %.",
            where=field,
        )
    return share


def field(where: str, given: Mapping[str, str]) -> str:
    """The field of the form that something is wrong with."""
    field = FIELDS.get(where, where)
    return "mirrored" if field == "share" and given.get("to") == "shadow" else field
