"""How a page is made: one read transaction, one template, one set of headers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import jinja2
from litestar import MediaType, Response
from litestar.exceptions import HTTPException

from tenure.errors import TenureError
from tenure.manage import inbox, loosening
from tenure.records.base import Record, iso
from tenure.records.people import Permission, Principal
from tenure.serving import answers
from tenure.store import alerts, changes
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web import statics, wording
from tenure.web.alert_places import place
from tenure.web.chart_data import WIDTHS
from tenure.web.pictures import bundle_version

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
COUNT_LIMIT = 100

Loaded = Mapping[str, Any]


class Frame(Record):
    """What stands around every page: where one is, who one is, what waits."""

    current: str
    who: str
    signed_in: bool
    firing: int = 0
    open_changes: int = 0
    to_sign: int = 0


def show(
    ground: Ground,
    principal: Principal,
    template: str,
    load: Callable[[Transaction], Loaded],
    *,
    current: str = "",
    refusal: Exception | None = None,
    policy: str = POLICY,
) -> Response[str]:
    """A page filled with what `load` reads. Everything on it is as of one moment.

    `refusal` is what stopped the form that the page answers, and gives the status.
    """

    def read(tx: Transaction) -> tuple[Loaded, Frame]:
        return load(tx), _frame(tx, principal, current)

    loaded, frame = ground.database.read(read)
    return answer(template, {**loaded, "frame": frame}, status_of(refusal) if refusal else 200, policy)


def answer(template: str, context: Loaded, status: int = 200, policy: str = POLICY) -> Response[str]:
    """A template as a page, with the headers that every page has."""
    body = TEMPLATES.get_template(template).render(**context)
    headers = {**HEADERS, "Content-Security-Policy": policy}
    return Response(body, status_code=status, media_type=MediaType.HTML, headers=headers)


def status_of(error: Exception) -> int:
    """The status of the page for an error; 500 for what is not ours."""
    if isinstance(error, HTTPException):
        return error.status_code
    return answers.status_of(error) if isinstance(error, TenureError) else 500


def bare_frame(principal: Principal | None = None) -> Frame:
    """A frame without what the database knows, for pages that must come even when it cannot be asked."""
    return Frame(current="", who=principal.name if principal else "", signed_in=_is_person(principal))


def _frame(tx: Transaction, principal: Principal, current: str) -> Frame:
    opened = changes.search(tx, state="open", limit=COUNT_LIMIT)
    return Frame(
        current=current,
        who=principal.name,
        signed_in=_is_person(principal),
        firing=len(alerts.search(tx, state="firing", limit=COUNT_LIMIT, models=principal.models(Permission.READ))),
        open_changes=sum(principal.may(Permission.READ, one.change.model) for one in opened),
        to_sign=inbox.count(tx, principal, opened),
    )


def _is_person(principal: Principal | None) -> bool:
    return principal is not None and principal.kind == "person"


def part(text: object) -> str:
    """A name as one part of a URL's path."""
    return quote(str(text), safe="")


def link(path: str, /, **query: object) -> str:
    """A path with a query of what is given; None and "" are left out, a list is said one by one."""
    known = {name: value for name, value in query.items() if value not in (None, "", [])}
    return f"{path}?{urlencode(known, doseq=True)}" if known else path


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tenure.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.do"],
    )
    words = ("count", "short", "figure", "decimals", "percent", "interval", "plus_minus", "p_value", "instant", "date")
    more = ("day", "span", "duration", "size", "digest", "state", "plain", "of_ms")
    environment.filters.update({name: getattr(wording, name) for name in (*words, *more)})
    environment.filters.update(looser_words=loosening.words_for)
    environment.filters.update(part=part, iso=iso, package=lambda module: module.split(".")[0], place=place)
    environment.tests["interval_like"] = wording.is_interval
    environment.globals.update(
        static=statics.url,
        link=link,
        chart_widths=" ".join(map(str, WIDTHS)),
        bundle_url=f"/static/vega.js?v={bundle_version()}",
    )
    return environment


TEMPLATES = _templates()
