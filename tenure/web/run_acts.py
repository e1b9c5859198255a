"""What is done to runs from their pages: deleting, restoring, notes. Each is a form with the session's CSRF token."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import post
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import Redirect

from tenure.build import experiments, runs
from tenure.build.limits import EXPERIMENT_TAG_LENGTH, RUN_TAG_LENGTH, check_length
from tenure.errors import InvalidInput
from tenure.records.people import Permission, Principal
from tenure.store import runs as kept_runs
from tenure.store.database import Transaction
from tenure.store.ground import Ground
from tenure.web.forms import Form
from tenure.web.page import link, part
from tenure.web.runs import NOTE_TAG

MOST_CHOSEN = 500
ManyForm = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]


@post("/runs/delete", permission=Permission.TRACK, sync_to_thread=True, include_in_schema=False)
def delete_chosen(ground: Ground, principal: Principal, data: ManyForm, back: str = "") -> Redirect:
    """Delete the chosen runs that are still there, and offer to undo it where one came from."""
    chosen = _chosen(data)
    done = ground.database.write(lambda tx: [one for one in chosen if _delete(tx, one, ground, principal)])
    return Redirect(_back(back, gone=done), status_code=303)


@post("/runs/restore", permission=Permission.TRACK, sync_to_thread=True, include_in_schema=False)
def restore_chosen(ground: Ground, principal: Principal, data: ManyForm, back: str = "") -> Redirect:
    """Restore the chosen runs that are deleted."""
    chosen = _chosen(data)
    ground.database.write(lambda tx: [one for one in chosen if _restore(tx, one, ground, principal)])
    return Redirect(_back(back), status_code=303)


@post("/runs/{run_id:str}/delete", permission=Permission.TRACK, sync_to_thread=True, include_in_schema=False)
def delete_one(ground: Ground, principal: Principal, run_id: str, data: Form) -> Redirect:  # noqa: ARG001 - a form with a token only
    ground.database.write(lambda tx: runs.delete(tx, run_id, by=principal.name, now=ground.clock()))
    return Redirect(f"/runs/{part(run_id)}", status_code=303)


@post("/runs/{run_id:str}/restore", permission=Permission.TRACK, sync_to_thread=True, include_in_schema=False)
def restore_one(ground: Ground, principal: Principal, run_id: str, data: Form) -> Redirect:  # noqa: ARG001 - a form with a token only
    ground.database.write(lambda tx: runs.restore(tx, run_id, by=principal.name, now=ground.clock()))
    return Redirect(f"/runs/{part(run_id)}", status_code=303)


@post("/runs/{run_id:str}/note", permission=Permission.TRACK, sync_to_thread=True, include_in_schema=False)
def note_run(ground: Ground, run_id: str, data: Form) -> Redirect:
    """Set the description of a run, which MLflow keeps as a tag."""
    note = _note(data, RUN_TAG_LENGTH)
    ground.database.write(lambda tx: runs.set_tag(tx, run_id, NOTE_TAG, note))
    return Redirect(f"/runs/{part(run_id)}", status_code=303)


@post(
    "/experiments/{experiment_id:str}/note", permission=Permission.TRACK, sync_to_thread=True, include_in_schema=False
)
def note_experiment(ground: Ground, experiment_id: str, data: Form) -> Redirect:
    """Set the description of an experiment, which MLflow keeps as a tag."""
    note = _note(data, EXPERIMENT_TAG_LENGTH)
    ground.database.write(lambda tx: experiments.set_tag(tx, experiment_id, NOTE_TAG, note, now=ground.clock()))
    return Redirect(link("/runs", experiment=experiment_id), status_code=303)


def _chosen(data: dict[str, Any]) -> list[str]:
    given = data.get("run", [])
    chosen = list(dict.fromkeys(given if isinstance(given, list) else [given]))
    if not 0 < len(chosen) <= MOST_CHOSEN:
        raise InvalidInput(f"Between 1 and {MOST_CHOSEN} runs must be chosen. Got {len(chosen)}.", where="run")
    return chosen


def _delete(tx: Transaction, run_id: str, ground: Ground, principal: Principal) -> bool:
    if kept_runs.stage_of(tx, run_id) == "deleted":
        return False
    runs.delete(tx, run_id, by=principal.name, now=ground.clock())
    return True


def _restore(tx: Transaction, run_id: str, ground: Ground, principal: Principal) -> bool:
    if kept_runs.stage_of(tx, run_id) == "active":
        return False
    runs.restore(tx, run_id, by=principal.name, now=ground.clock())
    return True


def _note(data: dict[str, str], limit: int) -> str:
    note = data.get("note", "").replace("\r\n", "\n").strip()
    check_length(note, limit, "note")
    return note


def _back(back: str, **more: object) -> str:
    """Back to the list as it was; nowhere else, whatever the form says."""
    path = f"/runs?{back.removeprefix('/runs?')}" if back.startswith("/runs?") else "/runs"
    told = link("", **more).removeprefix("?")
    return f"{path}{'&' if '?' in path else '?'}{told}" if told else path


handlers = [delete_chosen, restore_chosen, delete_one, restore_one, note_run, note_experiment]
