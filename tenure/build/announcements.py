"""What webhooks are told: one function for each thing that happens in the registry, called in its transaction.

The shapes are MLflow's, so that receivers written for it understand them. A prompt is a registered model with a mark;
what happens to one is told as a prompt's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tenure.build.limits import refuse
from tenure.records.base import Instant, moment_of, new_id
from tenure.records.registry import NewVersion
from tenure.records.webhooks import EVENTS, Message
from tenure.store import outbox, prompts, webhooks
from tenure.store.database import Transaction

PROMPT_TEXT = "mlflow.prompt.text"
PROMPT_TYPE = "_mlflow_prompt_type"

Data = Mapping[str, Any]


def model_created(
    tx: Transaction, name: str, description: str | None, tags: Mapping[str, str], *, now: Instant
) -> None:
    prompt = _is_marked(tags)
    kept = {key: value for key, value in tags.items() if not prompt or key not in (prompts.MARK, PROMPT_TYPE)}
    told = {"name": name, "tags": kept, "description": description or ""}
    tell(tx, "prompt.created" if prompt else "registered_model.created", told, now=now)


def model_tag_set(tx: Transaction, name: str, key: str, value: str, *, now: Instant) -> None:
    """Tags of models are told of for prompts alone, as in MLflow."""
    if webhooks.listening(tx, "prompt_tag.set") and prompts.is_prompt(tx, name):
        tell(tx, "prompt_tag.set", {"name": name, "key": key, "value": value}, now=now)


def model_tag_deleted(tx: Transaction, name: str, key: str, *, now: Instant) -> None:
    if webhooks.listening(tx, "prompt_tag.deleted") and prompts.is_prompt(tx, name):
        tell(tx, "prompt_tag.deleted", {"name": name, "key": key}, now=now)


def version_created(tx: Transaction, new: NewVersion, number: int, tags: Mapping[str, str], *, now: Instant) -> None:
    about: dict[str, Any] = {"name": new.name, "version": str(number), "description": new.description or None}
    if _is_marked(tags):
        hidden = (prompts.MARK, PROMPT_TYPE, PROMPT_TEXT)
        about |= {"template": tags.get(PROMPT_TEXT), "tags": {k: v for k, v in tags.items() if k not in hidden}}
        tell(tx, "prompt_version.created", about, now=now)
    else:
        about |= {"source": new.source, "run_id": new.run_id, "tags": dict(tags)}
        tell(tx, "model_version.created", about, now=now)


def version_tag_set(tx: Transaction, name: str, version: int, key: str, value: str, *, now: Instant) -> None:
    told = {"name": name, "version": str(version), "key": key, "value": value}
    _tell_either(tx, name, "model_version_tag.set", "prompt_version_tag.set", told, now)


def version_tag_deleted(tx: Transaction, name: str, version: int, key: str, *, now: Instant) -> None:
    told = {"name": name, "version": str(version), "key": key}
    _tell_either(tx, name, "model_version_tag.deleted", "prompt_version_tag.deleted", told, now)


def alias_set(tx: Transaction, name: str, alias: str, version: int, *, now: Instant) -> None:
    told = {"name": name, "alias": alias, "version": str(version)}
    _tell_either(tx, name, "model_version_alias.created", "prompt_alias.created", told, now)


def alias_deleted(tx: Transaction, name: str, alias: str, *, now: Instant) -> None:
    told = {"name": name, "alias": alias}
    _tell_either(tx, name, "model_version_alias.deleted", "prompt_alias.deleted", told, now)


def tell(tx: Transaction, event: str, data: Data, *, now: Instant) -> None:
    """Put a message for everybody who listens into the outbox. It leaves after this transaction's commit, or never."""
    listening = webhooks.listening(tx, event)
    if not listening:
        return
    body = written(event, data, now)
    outbox.add(tx, [message(webhook_id, event, body, now) for webhook_id in listening])


def message(webhook_id: str, event: str, body: str, now: Instant) -> Message:
    """A message that is due at once."""
    return Message(
        message_id=new_id(now),
        webhook_id=webhook_id,
        event=event,
        body=body,
        state="waiting",
        attempts=0,
        created_at=now,
        due_at=now,
    )


def written(event: str, data: Data, now: Instant) -> str:
    """A message's body, which is sent byte for byte at every attempt."""
    entity, _, action = event.partition(".")
    told = {"entity": entity, "action": action, "timestamp": moment_of(now).isoformat(), "data": data}
    return msgspec.json.encode(told).decode()


def example(event: str) -> Data:
    """What a message of this event could tell; made up, to try a receiver out."""
    if event not in EVENTS:
        refuse(event, "event", f"It must be one of {', '.join(EVENTS)}.")
    entity, _, action = event.partition(".")
    if entity.startswith("prompt"):
        about: dict[str, Any] = {"name": "a-prompt-to-try"}
    else:
        about = {"name": "a-model-to-try"}
    if entity.endswith("_alias"):
        return about | {"alias": "champion"} | ({"version": "1"} if action == "created" else {})
    if "version" in entity:
        about["version"] = "1"
    if entity.endswith("_tag"):
        return about | {"key": "colour"} | ({"value": "green"} if action == "set" else {})
    if entity == "model_version":
        about |= {"source": "models:/m-00000000000000000000000000000000", "run_id": None}
    if entity == "prompt_version":
        about["template"] = "Say hello to {{name}}."
    return about | {"tags": {"colour": "green"}, "description": "Sent to try a webhook; nothing of that name is meant."}


def _tell_either(tx: Transaction, name: str, of_model: str, of_prompt: str, told: Data, now: Instant) -> None:
    heard = webhooks.listening(tx, of_model) or webhooks.listening(tx, of_prompt)
    if heard:
        tell(tx, of_prompt if prompts.is_prompt(tx, name) else of_model, told, now=now)


def _is_marked(tags: Mapping[str, str]) -> bool:
    return tags.get(prompts.MARK, "false").lower() == "true"
