"""How an endpoint journals, on its page."""

from __future__ import annotations

from litestar import post
from litestar.response import Redirect

from tenure.access import ENDPOINT
from tenure.deploy import journaling, routing
from tenure.records.journaling import SetJournal
from tenure.records.people import Permission, Principal
from tenure.store.ground import Ground
from tenure.web.forms import Form, record, text
from tenure.web.page import part


@post(
    "/endpoints/{name:str}/journal",
    permission=Permission.MANAGE,
    subject=ENDPOINT,
    sync_to_thread=True,
    include_in_schema=False,
)
def set_journal(ground: Ground, principal: Principal, name: str, data: Form) -> Redirect:
    """Say how the endpoint journals."""
    now = ground.clock()
    mode = {"mode": text(data, "mode"), "fraction": _fraction(data)}
    asked = record(SetJournal, reason=text(data, "reason"), journal=mode)
    ground.database.write(lambda tx: journaling.set_mode(tx, name, asked, by=principal.name, now=now))
    routing.publish(ground)
    return Redirect(f"/endpoints/{part(name)}/releases#journal", status_code=303)


def _fraction(data: dict[str, str]) -> float | str:
    """A number, or the text as it is: the record says what it must be."""
    said = data.get("fraction", "").strip() or "1"
    try:
        return float(said)
    except ValueError:
        return said


handlers = [set_journal]
