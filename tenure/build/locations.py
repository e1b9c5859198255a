"""Locations of artifacts, as clients name them. `store.roots` tells which of them this server opens."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from tenure.build.limits import LOCATION_LENGTH, check_length, refuse
from tenure.store.roots import PROXIED, PROXIED_PLACE, SCHEME, place_of

ROOT = PROXIED


def checked_location(location: str) -> str:
    """An experiment's artifact location as a client may give it. Raises InvalidInput for tricks."""
    check_length(location, LOCATION_LENGTH, "artifact_location")
    try:
        parts = urlsplit(location)
    except ValueError:
        refuse(location, "artifact_location", "It must be a folder or a URL.")
    decoded = unquote(unquote(parts.path))
    if parts.query or parts.fragment or ".." in decoded.split("/") or "\\" in decoded:
        refuse(location, "artifact_location", "It must not have '..', a query or a fragment.")
    if any(ord(character) < 32 for character in unquote(location)):
        refuse(location, "artifact_location", "It must not have control characters.")
    if parts.scheme == SCHEME and not is_proxied(location):
        refuse(location, "artifact_location", f"It must read {ROOT} and a path without a host.")
    if not parts.scheme:  # a folder of the client's machine, or of one that it shares with others
        return str(Path(location).absolute())
    return location.rstrip("/") if location.strip("/") != f"{SCHEME}:" else ROOT


def is_proxied(location: str) -> bool:
    """Whether a location lies below `mlflow-artifacts:/`, without a trick in it."""
    place = place_of(location)
    return place is not None and PROXIED_PLACE.key_of(place) is not None


def below(location: str, *parts: str) -> str:
    return location.rstrip("/") + "/" + "/".join(parts)


def decoded(location: str) -> str:
    """A location after undoing every layer of percent-encoding that somebody might undo."""
    for _ in range(3):
        location = unquote(location)
    return location
