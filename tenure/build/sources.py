"""Sources: what a client names when it registers a version, and where those files lie.

A source that names something kept here must be the client's to name: the run or the logged model of its request, or
a registered version. One that names nothing here (a URL elsewhere, a run of another server, a relative path) is a note
for people: it is recorded as it stands, never opened, and pins no file.
"""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple, NoReturn

from tenure.build import locations, logged_models, registered_models, runs
from tenure.build.limits import LOCATION_LENGTH, check_length, check_model_name, required
from tenure.errors import InvalidInput, NotFound
from tenure.store import logged_models as stored_models
from tenure.store import model_versions
from tenure.store import runs as stored_runs
from tenure.store.database import Transaction
from tenure.store.roots import FILE, SCHEME, is_route

OF_MODEL = re.compile(r"models:/+(m-[0-9a-f]{32})/?")
OF_VERSION = re.compile(r"models:/+([^/@]+)/([0-9]{1,9})/?")
OF_ALIAS = re.compile(r"models:/+([^/@]+)@([\w-]+)/?")
OF_RUN = re.compile(r"runs:/+([^/]+)(?:/+(.*))?")
WITH_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
FORMS = "models:/m-<id>, models:/<name>/<version>, models:/<name>@<alias> or runs:/<id>/<path>"


class Source(NamedTuple):
    """A source as it is kept, where its files lie, and the run and the logged model that they come from."""

    text: str
    location: str
    run_id: str | None
    model_id: str | None


def resolve(tx: Transaction, text: str | None, *, run_id: str | None, model_id: str | None) -> Source:
    """What a source means. Raises InvalidInput for one that is not the client's to name, NotFound for what is gone."""
    text = required(text, "source")
    check_length(text, LOCATION_LENGTH, "source")
    _check_plain(_without_steps(text))
    if model_id:
        run_id = run_id or logged_models.get(tx, model_id).info.source_run_id
    given = Source(text, text, run_id or None, model_id or None)
    if text.startswith("models:"):
        return _of_model_or_version(tx, given)
    if text.startswith("runs:"):
        return _of_run(tx, given)
    scheme = WITH_SCHEME.match(text)
    if scheme and scheme[1].lower() not in (FILE, SCHEME) and not is_route(text):
        return given._replace(location=locations.checked_location(text))
    if not scheme and not text.startswith("/"):
        return given
    return _inside(tx, given)


def is_elsewhere(location: str) -> bool:
    """Whether a version's location names nothing that any server could open: a note for people."""
    return location.startswith("runs:") or not (location.startswith("/") or WITH_SCHEME.match(location))


def _of_model_or_version(tx: Transaction, given: Source) -> Source:
    found = OF_MODEL.fullmatch(given.text)
    if found:
        if given.model_id not in (None, found[1]):
            _refuse("it must name the logged model of 'model_id'", given.text)
        info = logged_models.get(tx, found[1]).info
        return Source(given.text, info.artifact_uri, given.run_id or info.source_run_id, found[1])
    found = OF_VERSION.fullmatch(given.text)
    if found:
        return _of_version(tx, given, found[1], int(found[2]))
    found = OF_ALIAS.fullmatch(given.text)
    if not found:
        _refuse(f"it must read {FORMS}", given.text)
    return _of_version(tx, given, found[1], registered_models.version_of(tx, found[1], found[2]))


def _of_version(tx: Transaction, given: Source, name: str, number: int) -> Source:
    """A copy has the files, the run and the logged model of its original. Aliases move: what is kept is the version."""
    row = model_versions.get(tx, check_model_name(name), number)
    if row is None:
        raise NotFound(f"Model Version (name={name}, version={number}) not found")
    if given.run_id not in (None, row.run_id) or given.model_id not in (None, row.model_id):
        _refuse(f"'run_id' and 'model_id' must be those of version {number} of {name!r}, or not be sent", given.text)
    return Source(f"models:/{name}/{number}", row.storage_location, row.run_id, row.model_id)


def _of_run(tx: Transaction, given: Source) -> Source:
    """A path below a run's artifacts, or the logged model of that name, which MLflow 3 keeps beside its run."""
    found = OF_RUN.fullmatch(given.text)
    if not found:
        _refuse(f"it must read {FORMS}", given.text)
    run_id, path = found[1], (found[2] or "").rstrip("/")
    if stored_runs.stage_of(tx, run_id) is None:
        if not path or given.model_id:
            _refuse("it names a run that this server does not have", given.text)
        return given
    if given.run_id not in (None, run_id):
        _refuse("it must name the run of 'run_id'", given.text)
    name, _, rest = path.partition("/")
    model = stored_models.of_run(tx, run_id, name) if name else None
    if model is not None and given.model_id in (None, model.model_id):
        return Source(given.text, _below(model.artifact_location, rest), run_id, model.model_id)
    return Source(given.text, _below(runs.info(tx, run_id).artifact_uri, path), run_id, given.model_id)


def _below(location: str, path: str) -> str:
    return locations.below(location, path) if path else location


def _inside(tx: Transaction, given: Source) -> Source:
    """A folder, if it lies at or below the artifacts of the request's run or logged model."""
    roots = [logged_models.get(tx, given.model_id).info.artifact_uri] if given.model_id else []
    if given.run_id and stored_runs.stage_of(tx, given.run_id) is not None:
        roots.append(runs.info(tx, given.run_id).artifact_uri)
    plain = locations.is_proxied(given.text) or not given.text.startswith(f"{SCHEME}:")
    found = [(root, rest) for root in roots if plain and (rest := below_root(root, given.text)) is not None]
    if not found:
        _refuse(
            "To use a local path as a model version source, or one below mlflow-artifacts:/, name with 'run_id' or "
            "'model_id' the run or the logged model whose artifacts it lies in",
            given.text,
        )
    return given._replace(location=_below(*found[0]))


def below_root(root: str, location: str) -> str | None:
    """The path of a location below a root, None when it lies elsewhere; a folder is one with or without `file://`.

    >>> below_root("file:///a/b", "/a/b/model/."), below_root("file:///a/b", "/a/bc")
    ('model', None)
    """
    base, path = _bare(root), _bare(location)
    if path == base:
        return ""
    return path.removeprefix(f"{base}/") if path.startswith(f"{base}/") else None


def _bare(location: str) -> str:
    return _without_steps(location).rstrip("/")


def _without_steps(text: str) -> str:
    """A folder with every written `..` taken, as MLflow's servers read it; any other source as it is.

    >>> _without_steps("file:///a/b/../c"), _without_steps("s3://a/b/../c"), _without_steps("/a/%2e%2e/c")
    ('/a/c', 's3://a/b/../c', '/a/%2e%2e/c')
    """
    local = text.removeprefix(f"{FILE}://")
    return posixpath.normpath(local) if local.startswith("/") else text


def _check_plain(text: str) -> None:
    """Refuse what might mean another place to somebody who reads it differently."""
    decoded = locations.decoded(text)
    if ".." in decoded.split("/") or any(mark in decoded for mark in "?#\\") or any(ord(one) < 32 for one in decoded):
        _refuse(
            "If supplying a source as an http, https, file, mlflow-artifacts or object store URL, or as a path, it "
            "must not have '..', a query, a fragment, a backslash or a control character in it",
            text,
        )


def _refuse(why: str, text: str) -> NoReturn:
    raise InvalidInput(f"Invalid model version source: {text[:200]!r}. {why[0].upper()}{why[1:]}.", where="source")
