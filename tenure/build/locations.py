"""Where artifacts lie. A location that a client names is recorded; only `mlflow-artifacts:/…` is ever opened here."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from tenure.build.limits import LOCATION_LENGTH, check_length, refuse
from tenure.errors import InvalidInput
from tenure.store.artifacts import safe_key

SCHEME = "mlflow-artifacts"
ROOT = f"{SCHEME}:/"
FOLDER = "mlflow"
"""The folder of the artifact store that clients reach; what else is kept there lies beside it."""


def key_of(path: str) -> str:
    """A client's relative path as a key of the artifact store. Raises InvalidInput for what is not safe."""
    return f"{FOLDER}/{safe_key(path.rstrip('/'))}"


def folder_of(location: str | None) -> str | None:
    """The folder in the artifact store that a location means; None for one that this server does not open."""
    if not location or not location.startswith(f"{SCHEME}:"):
        return None
    parts = urlsplit(location)
    path = parts.path.strip("/")
    if parts.netloc or parts.query or parts.fragment:
        return None
    try:
        return key_of(path) if path else FOLDER
    except InvalidInput:
        return None


def location_of(key: str) -> str:
    """The location of a key of the artifact store, as it stands in runs and logged models."""
    return ROOT + key.removeprefix(f"{FOLDER}/")


def checked_location(location: str) -> str:
    """An experiment's artifact location as a client may give it. Raises InvalidInput for tricks."""
    check_length(location, LOCATION_LENGTH, "artifact_location")
    parts = urlsplit(location)
    decoded = unquote(unquote(parts.path))
    if parts.query or parts.fragment or ".." in decoded.split("/") or "\\" in decoded:
        refuse(location, "artifact_location", "It must not have '..', a query or a fragment.")
    if any(ord(character) < 32 for character in unquote(location)):
        refuse(location, "artifact_location", "It must not have control characters.")
    if parts.scheme == SCHEME and (parts.netloc or (parts.path.strip("/") and folder_of(location) is None)):
        refuse(location, "artifact_location", f"It must read {ROOT} and a path without a host.")
    if not parts.scheme:  # a folder of the client's machine, or of one that it shares with others
        return str(Path(location).absolute())
    return location.rstrip("/")


def below(location: str, *parts: str) -> str:
    return "/".join((location.rstrip("/"), *parts)) if location != ROOT else ROOT + "/".join(parts)


def decoded(location: str) -> str:
    """A location after undoing every layer of percent-encoding that somebody might undo."""
    for _ in range(3):
        location = unquote(location)
    return location
