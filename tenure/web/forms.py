"""What comes from a form on a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypedDict, TypeVar, Unpack

import msgspec
from litestar import Request, Response
from litestar.enums import RequestEncodingType
from litestar.params import Body

from tenure import access
from tenure.errors import GateNotMet, InvalidInput, TenureError
from tenure.records.people import Principal
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.page import Loaded, show

Made = TypeVar("Made", bound=msgspec.Struct)
Asked = Request[Any, Any, Any]
Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]


class Sent(TypedDict, total=False):
    """A form that a page answers: why it was refused, and what it held."""

    refusal: TenureError | None
    given: Mapping[str, str] | None


def text(form: dict[str, str], field: str) -> str:
    """A field that must be filled. Raises InvalidInput naming it."""
    value = form.get(field, "").strip()
    if not value:
        raise InvalidInput(f"The field '{field.replace('_', ' ')}' must be filled. It was empty.", where=field)
    return value


def names(form: dict[str, str], field: str) -> list[str]:
    """A field with names separated by commas or spaces; each once."""
    return list(dict.fromkeys(form.get(field, "").replace(",", " ").split()))


def record(kind: type[Made], /, **fields: Any) -> Made:
    """A record of what a form says. Raises InvalidInput naming the first field that does not fit."""
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as problem:
        said, _, where = str(problem).partition(" - at ")
        named = where.strip("`$.").replace("_", " ")
        raise InvalidInput(f"The field '{named}' does not fit: {said}.", where=where.strip("`$.") or None) from None


def gate_of(request: Request[Any, Any, Any]) -> access.Gate:
    """The gate that this server stands behind."""
    gate: access.Gate = request.app.state["gate"]
    return gate


def csrf_of(request: Request[Any, Any, Any]) -> str:
    """The token that forms of this session carry; empty when nobody is signed in."""
    token = access.session_token({name.lower(): value for name, value in request.headers.items()})
    return gate_of(request).sessions.csrf(token) if token else ""


def answered(
    request: Request[Any, Any, Any],
    refusal: TenureError | None = None,
    given: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What a page with forms says of them: their token, what was wrong with the one that was sent, what it held.

    `where` is the field that the refusal is about, `failures` the rules that said no.
    """
    return {
        "csrf": csrf_of(request),
        "refusal": refusal.message if refusal else "",
        "where": (refusal.where if refusal else None) or "",
        "failures": list(refusal.failures) if isinstance(refusal, GateNotMet) else [],
        "given": dict(given or {}),
    }


def form_page(
    request: Asked,
    ground: Ground,
    principal: Principal,
    template: str,
    load: Callable[[Transaction], Loaded],
    *,
    current: str,
    **sent: Unpack[Sent],
) -> Response[str]:
    """A page with forms, filled with what `load` reads; it says of a form that was sent what was wrong with it."""

    def read(tx: Transaction) -> Loaded:
        return {**load(tx), **answered(request, sent.get("refusal"), sent.get("given"))}

    return show(ground, principal, template, read, current=current, refusal=sent.get("refusal"))
