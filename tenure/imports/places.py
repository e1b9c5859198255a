"""Artifacts of a source: on this machine, in an object store, behind the source's own proxy, or through the source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, unquote, urlsplit

from tenure.errors import NotSignedIn
from tenure.imports.server import V2, Refused, Server
from tenure.imports.source import Owner, Unreadable

PROXY = "/api/2.0/mlflow-artifacts/artifacts"
SCHEME = "mlflow-artifacts"
OBJECT_STORES = frozenset({"s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl"})
CHUNK_BYTES = 1024 * 1024
DEEPEST = 60
PATIENCE = 3


class Place(Protocol):
    """One folder of artifacts."""

    def sizes(self) -> dict[str, int]: ...

    def read(self, path: str) -> Iterator[bytes]: ...


class Places:
    """Finds a way to the files of a location.

    `proxied`: where `mlflow-artifacts:/` of the source lies, when that is known: the folder or URL that MLflow was
    given as --artifacts-destination. `server`: the source itself, when it runs.
    """

    def __init__(self, proxied: str | None = None, server: Server | None = None) -> None:
        self._proxied = proxied.rstrip("/") if proxied else None
        self._server = server
        self._failures: dict[str, list[str]] = {}

    def sizes(self, location: str, owner: Owner) -> dict[str, int]:
        """Files with their sizes. A bucket that failed a few times, and never answered, is not asked again."""
        root = "/".join(location.split("/")[:3])
        failures = self._failures.setdefault(root, [])
        if len(failures) >= PATIENCE:
            raise Unreadable(failures[0])
        try:
            found = self._place(location, owner).sizes()
        except Unreadable as problem:
            if "://" in root:
                failures.append(problem.message)
            raise
        failures.clear()
        return found

    def read(self, location: str, path: str, owner: Owner) -> Iterator[bytes]:
        return self._place(location, owner).read(path)

    def _place(self, location: str, owner: Owner) -> Place:
        scheme, path = _taken_apart(location)
        if scheme == SCHEME:
            return self._behind_proxy(path)
        if scheme == "file" and _may_be_here(Path(path)):
            return Folder(Path(path))
        if self._server is not None and owner.kind != "logged_model":
            return Asked(self._server, owner)
        if scheme in OBJECT_STORES:
            return Bucket(location)
        if scheme == "file":
            raise Unreadable("that folder is not on this machine")
        raise Unreadable(f"locations of the kind {scheme}: are not read")

    def _behind_proxy(self, path: str) -> Place:
        if self._proxied is not None:
            scheme, root = _taken_apart(self._proxied)
            if scheme == "file":
                return Folder(Path(root) / path.strip("/"))
            return Bucket(f"{self._proxied}/{path.strip('/')}")
        if self._server is not None:
            return Proxied(self._server, path.strip("/"))
        raise Unreadable(
            "mlflow-artifacts:/ is served by an MLflow server; name what that server was given as "
            "--artifacts-destination with --artifacts-from, or move from the server itself"
        )


class Folder:
    """A folder of this machine. One that is not there is empty: MLflow makes it with the first file."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def sizes(self) -> dict[str, int]:
        try:
            found = [path for path in self._root.rglob("*") if path.is_file()]
            return {path.relative_to(self._root).as_posix(): path.stat().st_size for path in found}
        except OSError as problem:
            raise Unreadable(f"that folder cannot be read: {problem.strerror}") from None

    def read(self, path: str) -> Iterator[bytes]:
        try:
            with (self._root / path).open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
        except OSError as problem:
            raise Unreadable(f"that file cannot be read: {problem.strerror}") from None


class Bucket:
    """A prefix of an object store, with the credentials of the environment."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._prefix = parts.path.strip("/")
        self._root = f"{parts.scheme}://{parts.netloc}"

    def sizes(self) -> dict[str, int]:
        import obstore

        try:
            items = [item for part in obstore.list(self._store(), self._prefix or None) for item in part]
        except Exception as problem:  # obstore has many errors for what a store may say
            raise Unreadable(_first_line(problem)) from None
        start = len(self._prefix) + 1 if self._prefix else 0
        return {item["path"][start:]: int(item["size"]) for item in items}

    def read(self, path: str) -> Iterator[bytes]:
        import obstore

        key = f"{self._prefix}/{path}" if self._prefix else path
        try:
            for chunk in obstore.get(self._store(), key).stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(chunk)
        except Exception as problem:
            raise Unreadable(_first_line(problem)) from None

    def _store(self) -> Any:
        from obstore.store import from_url

        return from_url(self._root, client_options={"timeout": "60s"}, retry_config={"max_retries": 2})


class Proxied:
    """What an MLflow server serves as mlflow-artifacts:/."""

    def __init__(self, server: Server, folder: str) -> None:
        self._server = server
        self._folder = folder

    def sizes(self) -> dict[str, int]:
        return _walked(self._level)

    def _level(self, below: str) -> list[dict[str, Any]]:
        path = "/".join(part for part in (self._folder, below) if part)
        files = self._server.get(PROXY, path=path).get("files", [])
        return [{**one, "path": f"{below}/{one['path']}" if below else one["path"]} for one in files]

    def read(self, path: str) -> Iterator[bytes]:
        return self._server.stream(f"{PROXY}/{quote(f'{self._folder}/{path}')}")


class Asked:
    """Files of a run or a version that only the source itself can reach: it reads them for us."""

    def __init__(self, server: Server, owner: Owner) -> None:
        self._server = server
        self._owner = owner

    def sizes(self) -> dict[str, int]:
        if self._owner.kind != "run":
            raise Unreadable("the source does not list the files of a version that belongs to no run")
        return _walked(self._level)

    def _level(self, below: str) -> list[dict[str, Any]]:
        answer = self._server.get(f"{V2}artifacts/list", run_id=self._owner.id, path=below or None)
        return list(answer.get("files", []))

    def read(self, path: str) -> Iterator[bytes]:
        return self._server.stream("/get-artifact", run_id=self._owner.id, path=path)


def _walked(level: Any) -> dict[str, int]:
    """Every file below, by asking level by level."""
    found: dict[str, int] = {}
    waiting = [""]
    try:
        while waiting:
            below = waiting.pop()
            for one in level(below):
                if one.get("is_dir"):
                    if one["path"].count("/") < DEEPEST:
                        waiting.append(one["path"])
                else:
                    found[one["path"]] = int(one.get("file_size", 0))
    except (Refused, NotSignedIn) as problem:
        raise Unreadable(problem.message) from None
    return found


def _taken_apart(location: str) -> tuple[str, str]:
    """Scheme and path; a plain path is a file."""
    if location.startswith("/"):
        return "file", location
    parts = urlsplit(location)
    scheme = parts.scheme.lower()
    return (scheme, unquote(parts.path)) if scheme in ("file", SCHEME) else (scheme or "file", parts.path)


def _may_be_here(path: Path) -> bool:
    """Whether a folder of artifacts can be on this machine: it is there, or the root above its ids is."""
    return path.is_absolute() and any(parent.is_dir() for parent in (path, *path.parents[:4]) if len(parent.parts) > 2)


def _first_line(problem: Exception) -> str:
    return str(problem).splitlines()[0][:200] if str(problem) else type(problem).__name__
