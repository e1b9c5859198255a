"""What an endpoint exports, on its page."""

from __future__ import annotations

from litestar import post
from litestar.response import Redirect

from tenure.access import ENDPOINT
from tenure.build import webhooks
from tenure.deploy import exports
from tenure.records.exports import SetExport
from tenure.records.people import Permission, Principal
from tenure.store.ground import Ground
from tenure.web.forms import Form, record, text
from tenure.web.page import part


@post(
    "/endpoints/{name:str}/export",
    permission=Permission.MANAGE,
    subject=ENDPOINT,
    sync_to_thread=True,
    include_in_schema=False,
)
def set_export(ground: Ground, principal: Principal, name: str, data: Form) -> Redirect:
    """Say where the endpoint's requests and answers go; without an address nowhere."""
    now, means = ground.clock(), webhooks.means_of(ground)
    asked = record(
        SetExport,
        reason=text(data, "reason"),
        url=data.get("url", "").strip() or None,
        what=data.get("what", "request response").split(),
        share=_share(data),
        secret=data.get("secret") or None,
    )
    ground.database.write(lambda tx: exports.set_export(tx, name, asked, means, by=principal.name, now=now))
    return Redirect(f"/endpoints/{part(name)}/releases#export", status_code=303)


def _share(data: dict[str, str]) -> float | str:
    """A number, or the text as it is: the record says what it must be."""
    said = data.get("share", "").strip() or "1"
    try:
        return float(said)
    except ValueError:
        return said


handlers = [set_export]
