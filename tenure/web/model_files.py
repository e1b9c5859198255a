"""The model's file on a page: as YAML, with what a change would do shown before it is applied, and every revision."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.response import Redirect

from tenure.access import MODEL
from tenure.deploy import routing
from tenure.errors import InvalidInput, NotFound, TenureError
from tenure.manage import model_files
from tenure.manage.model_files import Applied
from tenure.records import model_schema, model_yaml, yaml_text
from tenure.records.model_files import ModelFile
from tenure.records.people import Permission, Principal
from tenure.store import changes
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web import lives
from tenure.web.forms import Form, answered
from tenure.web.page import part, show

Asked = Request[Any, Any, Any]
NEW = """\
model: {name}
purpose: what it is for, in one sentence
owner: you@example.com
features:
  first_column: {{kind: numeric}}
approval:
  steps:
  - {{role: validator}}
"""


@get("/models/{name:str}/file", permission=Permission.READ, subject=MODEL, sync_to_thread=True, include_in_schema=False)
def page(request: Asked, ground: Ground, principal: Principal, name: str, revision: int | None = None) -> Response[str]:
    """The file as it stands, or an earlier revision of it, ready to be changed."""
    return _page(request, ground, principal, name, revision=revision)


@post(
    "/models/{name:str}/file/change",
    permission=Permission.MANAGE,
    subject=MODEL,
    sync_to_thread=True,
    include_in_schema=False,
)
def change(request: Asked, ground: Ground, principal: Principal, name: str, data: Form) -> Response[str] | Redirect:
    """Say what a text would change, apply it, or ask for it where it loosens rules that bind.

    What is wrong with it is said above it, with its line.
    """
    text = data.get("text", "").replace("\r\n", "\n")
    preview = data.get("act") != "apply"
    try:
        file, seen = _read(text, name), _seen(data)

        def apply(tx: Transaction) -> Applied:
            now, configured = ground.clock(), model_files.configured_of(ground.settings)
            reason = data.get("reason")
            return model_files.apply(
                tx, file, by=principal.name, now=now, dry_run=preview, seen=seen, reason=reason, configured=configured
            )

        if not preview:
            done = ground.database.write(apply)
            routing.publish(ground)
            place = f"/changes/{part(done.change.change_id)}" if done.change else f"/models/{part(name)}/file"
            return Redirect(place, status_code=303)
        would = ground.database.read(apply)
    except TenureError as refusal:
        return _page(request, ground, principal, name, text=text, refusal=refusal, given=data)
    return _page(request, ground, principal, name, text=text, would=would)


def _page(
    request: Asked,
    ground: Ground,
    principal: Principal,
    name: str,
    *,
    revision: int | None = None,
    text: str | None = None,
    would: Applied | None = None,
    refusal: TenureError | None = None,
    given: dict[str, str] | None = None,
) -> Response[str]:
    asks = bool(would and would.looser) or bool(refusal and refusal.where == "reason")

    def load(tx: Transaction) -> dict[str, Any]:
        known = lives.of(tx, name, ground.settings)
        if known is None:
            raise NotFound(f"There is no model named {name!r}. Register one with mlflow.register_model.")
        current = model_files.current(tx, name)
        shown = model_files.revision(tx, name, revision) if revision else current
        return {
            "name": name,
            "current": current,
            "shown": shown,
            "text": text if text is not None else yaml_text.written(shown.file) if shown else NEW.format(name=name),
            "would": would,
            "asks": asks,
            "offers": asks or bool(would and would.changes),
            "waiting": [one.change for one in changes.search(tx, state="open", model=name, kind="revise")],
            "history": model_files.history(tx, name),
            "schema_url": ground.settings.control_url + model_schema.PATH,
            **answered(request, refusal, given),
            "may_change": principal.may(Permission.MANAGE, name),
        }

    return show(ground, principal, "model_file.html", load, current="models", refusal=refusal)


def _read(text: str, name: str) -> ModelFile:
    file = model_yaml.read(text)
    try:
        model_files.check(file)
    except InvalidInput as problem:
        raise InvalidInput(problem.message, where=yaml_text.placed(text, problem.where)) from None
    if file.model != name:
        raise InvalidInput(
            f"The file must be about {name!r}, as this page is. Got {file.model!r}.",
            where=yaml_text.placed(text, "model"),
        )
    return file


def _seen(form: dict[str, str]) -> int:
    try:
        return int(form.get("seen", ""))
    except ValueError:
        raise InvalidInput("The form must say which revision it was made from. Load the page again.") from None


handlers = [page, change]
