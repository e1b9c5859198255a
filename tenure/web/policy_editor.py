"""Writing a policy: as YAML, tried on what was decided in the past, kept as a draft, published for good."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.response import Redirect

from tenure.errors import Conflict, InvalidInput, NotFound, TenureError
from tenure.manage import dry_runs, published
from tenure.records import policy_yaml
from tenure.records.base import Instant, Record, moment_of
from tenure.records.changes import Reason
from tenure.records.people import Permission, Principal
from tenure.records.policies import DryRun, Policy, PolicyChecked, PolicyShown
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.forms import Form, answered, record, text
from tenure.web.page import link, part, show
from tenure.web.policies import END, SHOWN_LINES, beginning_of

Asked = Request[Any, Any, Any]
NEW = """\
policy: {name}
purpose: what it protects, in one sentence
rules:
- name: good-enough
  gates: [approve]
  require: baseline.roc_auc >= 0.7
  explain: The AUC is {{baseline.roc_auc}} and must be at least 0.7; train better.
"""


class Why(Record):
    reason: Reason


class Tried(Record):
    """What a text says: which facts its rules read, what it changes, and what it would have refused."""

    policy: Policy
    checked: PolicyChecked
    newest: int
    changes: list[str]
    dry: DryRun | None


@get("/policy-editor", permission=Permission.READ, sync_to_thread=True, include_in_schema=False)
def page(
    request: Asked, ground: Ground, principal: Principal, name: str = "", version: int | None = None
) -> Response[str]:
    """A new policy, or the next version of one: from its draft if there is one, else from a version."""
    found = ground.database.read(lambda tx: _begun(tx, name, version, ground.clock()))
    return _page(request, ground, principal, found)


@post("/policy-editor/send", permission=Permission.ADMINISTER, sync_to_thread=True, include_in_schema=False)
def send(request: Asked, ground: Ground, principal: Principal, data: Form) -> Response[str] | Redirect:
    """Try a text, keep it as a draft, or publish it. What is wrong is said beside the field, with the line."""
    written = data.get("text", "").replace("\r\n", "\n")
    tried: Tried | None = None
    try:
        policy = published.read(written)
        if data.get("act") == "draft":
            ground.database.write(
                lambda tx: published.save_draft(tx, policy, by=principal.name, now=ground.clock()),
            )
            return Redirect(link("/policy-editor", name=policy.policy, saved="yes"), status_code=303)
        tried = ground.database.read(lambda tx: _try(tx, policy, data.get("since", "")))
        if data.get("act") == "publish":
            return _publish(ground, principal, tried, data)
    except TenureError as refusal:
        return _page(request, ground, principal, written, tried=tried, refusal=refusal, given=data)
    return _page(request, ground, principal, written, tried=tried, given=data)


def _publish(ground: Ground, principal: Principal, tried: Tried, data: dict[str, str]) -> Redirect:
    """Only what was tried is published: the same text, after the same version."""
    if data.get("tried") != tried.checked.digest:
        raise Conflict("The text has changed since it was tried. See below what it does now, then publish it.")
    reason, seen = record(Why, reason=text(data, "reason")).reason, _seen(data)
    made = ground.database.write(
        lambda tx: published.publish(tx, tried.policy, by=principal.name, now=ground.clock(), reason=reason, seen=seen)
    ).policy
    return Redirect(f"/policies/{part(made.name)}/{made.version}", status_code=303)


def _page(
    request: Asked,
    ground: Ground,
    principal: Principal,
    written: str,
    *,
    tried: Tried | None = None,
    refusal: TenureError | None = None,
    given: dict[str, str] | None = None,
) -> Response[str]:
    now = ground.clock()

    def load(_tx: Transaction) -> dict[str, Any]:
        return {
            "text": written,
            "tried": tried,
            "saved": request.query_params.get("saved") == "yes",
            "today": moment_of(now).date().isoformat(),
            "shown_lines": SHOWN_LINES,
            "may_write": principal.may(Permission.ADMINISTER),
            "line": _line(refusal, written),
            **answered(request, refusal, given),
        }

    return show(ground, principal, "policy_editor.html", load, current="policies", refusal=refusal)


def _try(tx: Transaction, policy: Policy, since: str) -> Tried:
    found = published.versions(tx, policy.policy)
    before = found[0].body if found else None
    return Tried(
        policy=policy,
        checked=published.check(policy),
        newest=found[0].version if found else 0,
        changes=published.differences(before, policy),
        dry=dry_runs.run(tx, policy, since=beginning_of(since), until=END) if since else None,
    )


def _begun(tx: Transaction, name: str, version: int | None, now: Instant) -> str:
    """The text to begin with. Raises NotFound for a policy that is neither published nor drafted."""
    if not name:
        return NEW.format(name="my-policy")
    if version is not None:
        return policy_yaml.written(published.get(tx, name, version).body)
    known = _known(tx, name, now)
    body = known.draft.body if known.draft else known.versions[0].body
    return policy_yaml.written(body)


def _known(tx: Transaction, name: str, now: Instant) -> PolicyShown:
    found = next((one for one in published.shown(tx, now) if one.name == name), None)
    if found is None:
        raise NotFound(f"There is no policy named {name[:100]!r}, and no draft of one. Begin a new one.")
    return found


def _line(refusal: TenureError | None, written: str) -> tuple[int, str] | None:
    """The line of the text that a refusal is about: its number and what it says."""
    where = (refusal.where if refusal else None) or ""
    digits = where.partition("line ")[2].partition(",")[0].rstrip(")")
    lines = written.split("\n")
    at = int(digits) if digits.isdigit() else 0
    return (at, lines[at - 1]) if 0 < at <= len(lines) else None


def _seen(form: dict[str, str]) -> int:
    try:
        return int(form.get("seen", ""))
    except ValueError:
        raise InvalidInput("The form must say which version it was made from. Load the page again.") from None


handlers = [page, send]
