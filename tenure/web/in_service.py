"""What is in service at an endpoint, as its page shows it: shares, how the gateways are with it, what it answers by."""

from __future__ import annotations

from typing import Any, Literal

from tenure.records.base import Record
from tenure.records.endpoints import EndpointInfo, ReleaseInfo
from tenure.records.forms import Form
from tenure.records.routing import ReleaseHealth
from tenure.store import forms, releases
from tenure.store.database import Transaction
from tenure.web import shares

Tone = Literal["quiet", "ok", "info", "warn", "bad"]
STATES: dict[str, tuple[str, Tone]] = {
    "serving": ("serving", "ok"),
    "starting": ("starting", "info"),
    "failed": ("failed", "bad"),
    "": ("not seen yet", "quiet"),
}
WORST = ("failed", "starting", "serving")


class Serving(Record):
    """A release that is open. `state`: at the gateway where it is worst; `form`: what it answers by, or will."""

    release: ReleaseInfo
    words: str
    state: str
    tone: Tone
    form: str
    form_known: bool


def shown(tx: Transaction, endpoint: EndpointInfo) -> dict[str, Any]:
    """The bar, a line for each release, and the version that was the champion before this one."""
    champion = next((one.version for one in endpoint.releases if one.role == "champion"), None)
    earlier = [one.version for one in releases.history(tx, endpoint.name) if one.role == "champion" and one.until_at]
    return {
        "bar": shares.bar(endpoint.releases),
        "serving": [_serving(tx, one, endpoint.health) for one in endpoint.releases],
        "challenged": any(one.role == "challenger" for one in endpoint.releases),
        "before": next((one for one in earlier if one != champion), None),
    }


def _serving(tx: Transaction, release: ReleaseInfo, health: list[ReleaseHealth]) -> Serving:
    said = {one.state for one in health if one.release_id == release.release_id}
    state, tone = STATES[next((one for one in WORST if one in said), "")]
    form = forms.get(tx, release.model, release.version)
    return Serving(
        release=release,
        words=shares.does(release.role, release.share),
        state=state,
        tone=tone,
        form=answers_by(form),
        form_known=bool(form and form.report),
    )


def answers_by(form: Form | None) -> str:
    """What a version answers by as its form stands."""
    if form is not None and form.report is not None and form.state == "done":
        return "a scorer's process" if form.report.kind == "original" else "a form proven equal to it"
    doing = {"waiting": ", until a worker has compiled it", "running": "; a worker is compiling it"}
    return f"a scorer's process{doing.get(form.state, '') if form else ''}"
