"""Which model a request is about: declared on its route as data, looked up only when it matters.

It matters to principals that hold a permission for some models only. Everybody else is answered without a look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:  # the gateway has a gate but no people, and should not load a database for it
    from tenure.store.database import Transaction

Kind = Literal["model", "endpoint", "change", "alert", "retraining", "listed"]
Place = Literal["path", "query", "body"]


class Subject(NamedTuple):
    """What a route is about: `fields` of the path, the query or the body name things of `kind`.

    Several fields name several things, and the permission is needed for each.
    """

    kind: Kind
    fields: tuple[str, ...] = ("name",)
    place: Place = "path"


MODEL = Subject("model")
ENDPOINT = Subject("endpoint")
CHANGE = Subject("change", ("change_id",))
ALERT = Subject("alert", ("alert_id",))
RETRAINING = Subject("retraining", ("retraining_id",))
LISTED = Subject("listed", ())
"""A list of things of many models: whoever may see any of them is let in, and the handler shows those alone."""


def of_model(*fields: str, place: Place = "path") -> Subject:
    """A model that these fields name."""
    return Subject("model", fields, place)


def models_of(tx: Transaction, subject: Subject, given: Mapping[str, Any]) -> list[str | None]:
    """The model behind each field; None where there is none, so that nobody learns which."""
    find = _FINDERS[subject.kind]
    values = [given.get(field) for field in subject.fields]
    return [find(tx, value) if isinstance(value, str) and value else None for value in values]


def _model(_tx: Transaction, name: str) -> str | None:
    return name


def _of_endpoint(tx: Transaction, name: str) -> str | None:
    from tenure.store import endpoints

    endpoint = endpoints.get(tx, name)
    return endpoint.model if endpoint else None


def _of_change(tx: Transaction, change_id: str) -> str | None:
    from tenure.store import changes

    stored = changes.get(tx, change_id)
    return stored.change.model if stored else None


def _of_alert(tx: Transaction, alert_id: str) -> str | None:
    from tenure.store import alerts

    alert = alerts.get(tx, alert_id)
    return _of_endpoint(tx, alert.endpoint) if alert else None


def _of_retraining(tx: Transaction, retraining_id: str) -> str | None:
    from tenure.store import retraining_runs

    run = retraining_runs.get(tx, retraining_id)
    return run.model if run else None


def _nothing(_tx: Transaction, _value: str) -> str | None:
    return None


_FINDERS: dict[Kind, Callable[[Transaction, str], str | None]] = {
    "model": _model,
    "endpoint": _of_endpoint,
    "change": _of_change,
    "alert": _of_alert,
    "retraining": _of_retraining,
    "listed": _nothing,
}
