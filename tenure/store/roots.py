"""The roots that the operator gave for artifacts, and the one way from a location to a store.

A location is what stands in experiments, runs, models and versions: `mlflow-artifacts:/1/…`, a folder, or a URL. A
client may name any; one is opened only when it lies below `mlflow-artifacts:/` (kept at `--artifacts-url`) or below
`--default-artifact-root`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from tenure.errors import CannotStart, InvalidInput
from tenure.store.artifacts import ArtifactStore, safe_key

SCHEME = "mlflow-artifacts"
PROXIED = f"{SCHEME}:/"
FORMS_FOLDER = "tenure-forms"
FORMS = f"{PROXIED}{FORMS_FOLDER}"
"""Where forms of versions lie. We alone write there."""
ROUTE = "/api/2.0/mlflow-artifacts/artifacts"
FILE = "file"
OBJECT_STORES = frozenset({"s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl"})


class Opened(NamedTuple):
    """Where a location's files are: a store, and the folder's (or file's) key in it."""

    store: ArtifactStore
    key: str

    @property
    def place(self) -> str:
        """The same for every root that reaches it."""
        return f"{self.store.base}/{self.key}".rstrip("/")

    def below(self, path: str) -> str:
        """The key of a file in this folder."""
        return f"{self.key}/{path}" if self.key else path


@dataclass(frozen=True)
class Place:
    """A location taken apart: where (a scheme, for a URL with its host) and the path there."""

    where: str
    path: str

    def key_of(self, other: Place) -> str | None:
        """The path from here to a place at ("") or below this one; None for any other and for an unsafe one."""
        root = self.path.rstrip("/")
        if other.where != self.where or not f"{other.path}/".startswith(f"{root}/"):
            return None
        path = other.path.removeprefix(root).strip("/")
        try:
            return safe_key(path) if path else ""
        except InvalidInput:
            return None


def place_of(location: str) -> Place | None:
    """A location taken apart as MLflow's clients read it; None when it plays tricks.

    >>> place_of("/srv/a") == place_of("file:///srv/a")
    True
    """
    if location.startswith("/"):
        return Place(FILE, _plain(location))
    try:
        parts = urlsplit(location)
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if not scheme or parts.query or parts.fragment:
        return None
    if scheme in (SCHEME, FILE):  # their paths travel percent-encoded; keys of object stores do not
        return None if parts.netloc else Place(scheme, _plain(unquote(parts.path)))
    if scheme in ("http", "https"):
        return Place(f"{scheme}://{parts.netloc.lower()}", _plain(unquote(parts.path)))
    return Place(f"{scheme}://{parts.netloc}", parts.path.rstrip("/"))


def _plain(path: str) -> str:
    return "/" + re.sub("/+", "/", path).strip("/")


PROXIED_PLACE = Place(SCHEME, "/")


@dataclass(frozen=True)
class Root:
    """A place that the operator gave. `location` is how it stands before the ids in an experiment's location."""

    location: str
    place: Place
    open: Callable[[], ArtifactStore]

    @cached_property
    def store(self) -> ArtifactStore:
        return self.open()

    def key_of(self, location: str) -> str | None:
        """The key that a location means, if it lies at this root ("") or below."""
        place = place_of(location)
        return self.place.key_of(place) if place else None

    def location_of(self, key: str) -> str:
        """The one spelling of a key's location, as versions keep it."""
        return self.location + (key if self.location.startswith("/") else key.replace("%", "%25"))


class Roots:
    """Every root of this server: the proxied one, and the default root where that is another one."""

    def __init__(self, proxied: ArtifactStore, default: str) -> None:
        """`default` is the setting as given. Raises CannotStart for one that cannot be a root."""
        self.default = normalised(default)
        """What stands before an experiment's id in the location that it gets by itself."""
        self.proxied = Root(PROXIED, PROXIED_PLACE, lambda: proxied)
        self._roots = [self.proxied]
        place = place_of(self.default)
        if is_route(self.default):  # the proxied root by the address under which clients reach this server
            self._roots.append(Root(self.default, place_of(self.default) or PROXIED_PLACE, lambda: proxied))
        elif place is not None and (place.where == FILE or place.where.partition(":")[0] in OBJECT_STORES):
            url = place.path if place.where == FILE else self.default.rstrip("/")
            self._roots.append(Root(self.default, place, lambda: ArtifactStore(url)))

    def check_apart(self, *private: Path) -> None:
        """Raise CannotStart when a root reaches what clients must not read, such as the data folder."""
        for root in self._roots:
            for folder in private:
                if folder.is_relative_to(root.store.base) or root.store.base == "/":
                    raise CannotStart(
                        f"An artifact root must not hold the server's own files: clients may name any folder below it. "
                        f"{root.store.base} holds {folder}. Give a folder of its own to --artifacts-url and "
                        "--default-artifact-root."
                    )

    @property
    def sign_somewhere(self) -> bool:
        """Whether some root is an object store for which URLs can be signed."""
        return any(root.store.direct is not None for root in self._roots)

    def opened(self, location: str | None) -> Opened | None:
        """Where the files of a location are; None for a location outside every root: it is recorded, never opened."""
        for root in self._roots:
            key = root.key_of(location) if location else None
            if key is not None:
                return Opened(root.store, key)
        return None

    def spellings(self, store: ArtifactStore, key: str) -> list[str]:
        """Every location that means this key of a store, one a root: the roots may overlap."""
        whole = f"{store.base}/{key}".rstrip("/") + "/"
        above = (root for root in self._roots if whole.startswith(f"{root.store.base}/"))
        return [root.location_of(whole.removeprefix(f"{root.store.base}/").rstrip("/")) for root in above]

    def canonical(self, location: str) -> str:
        """The one spelling of a location below a root; any other location as it is."""
        for root in self._roots:
            key = root.key_of(location)
            if key is not None:
                return root.location_of(key)
        return location


def is_route(location: str) -> bool:
    """Whether a location reads like some server's route to its proxied artifacts.

    >>> is_route("https://example.com/api/2.0/mlflow-artifacts/artifacts/1")
    True
    """
    place = place_of(location)
    return place is not None and place.where.startswith("http") and f"{ROUTE}/" in f"{place.path}/"


def normalised(root: str) -> str:
    """A default root with its slash at the end; a folder becomes absolute.

    >>> normalised("s3://bucket/models")
    's3://bucket/models/'
    >>> normalised("file:models") == f"{Path('models').absolute().as_uri()}/"
    True
    """
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", root):
        root = str(Path(root).absolute())
    elif re.match(rf"{FILE}:[^/]", root):
        root = Path(root.removeprefix(f"{FILE}:")).absolute().as_uri()
    place = place_of(root)
    if place is None and not root.startswith(f"{SCHEME}://"):
        raise CannotStart(
            f"The default artifact root must be {PROXIED}, a folder or a URL without query and fragment. Got {root!r}."
        )
    return root.rstrip("/") + "/"
