"""Bodies of files: into the artifact store and out of it, in bounded memory.

The event loop never waits for a disk or a bucket: threads of their own do, a mebibyte at a time, and while one mebibyte
is written the next one arrives.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from tenure.api.mlflow import ranges
from tenure.errors import InvalidInput, TooLarge
from tenure.store.artifacts import Content, Draft
from tenure.store.roots import Opened

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Keep = Callable[[Draft], None]
Answer = TypeVar("Answer")

log = logging.getLogger("tenure.api.mlflow")
GIB = 1024**3
BATCH_BYTES = 1024 * 1024
FILE_THREADS = ThreadPoolExecutor(16, thread_name_prefix="tenure-files")
DOWNLOAD_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"sandbox; default-src 'none'"),
    (b"accept-ranges", b"bytes"),
)


# What a download says it is. Nothing that a browser runs has a type of its own: a page or an SVG is bytes.
TEXTS = frozenset({"mlmodel", "mlproject"}) | {
    *("csv", "err", "json", "log", "md", "py", "rst", "tsv", "txt"),
    *("cfg", "cnf", "conf", "hocon", "ini", "properties", "toml", "yaml", "yml"),
}
MEDIA = {
    "gif": b"image/gif",
    "jpeg": b"image/jpeg",
    "jpg": b"image/jpeg",
    "pdf": b"application/pdf",
    "png": b"image/png",
    "webp": b"image/webp",
}
PLAIN_NAME = re.compile(r"[\w.+!#$&^`|~-]+", re.ASCII)


def apart(work: Callable[..., Answer], *arguments: Any) -> asyncio.Future[Answer]:
    """Have work that waits for files done by a thread."""
    return asyncio.get_running_loop().run_in_executor(FILE_THREADS, work, *arguments)


def header(scope: Scope, name: bytes) -> str | None:
    for given, value in scope["headers"]:
        if given == name:
            return str(value.decode("latin-1"))
    return None


# --- out ---


@dataclass(frozen=True)
class _Begun:
    """A download whose first piece has been read."""

    content: Content
    span: ranges.Span
    chunks: Iterator[bytes]
    first: bytes


async def send_file(file: Opened, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a file, or with the range of it that was asked for, as a download from a sandbox."""
    has_body = scope["method"] != "HEAD"
    begun = await apart(_begin, file, header(scope, b"range"), has_body)
    try:
        headers = [*DOWNLOAD_HEADERS, *_described(file.key), *begun.span.headers]
        await send({"type": "http.response.start", "status": begun.span.status, "headers": headers})
        if has_body and len(begun.first) < begun.span.count:
            await _send_chunks(begun, receive, send)
        else:
            await send({"type": "http.response.body", "body": begun.first})
    finally:
        begun.content.close()


def _begin(file: Opened, asked: str | None, has_body: bool) -> _Begun:
    content = file.store.open(file.key)
    try:
        span = ranges.span(asked, content.size_bytes)
        chunks = content.chunks(span.first, span.count)
        return _Begun(content, span, chunks, next(chunks, b"") if has_body and span.count else b"")
    except BaseException:
        content.close()
        raise


async def _send_chunks(begun: _Begun, receive: Receive, send: Send) -> None:
    """Send a piece while the next one is read. Stops when the client goes away: nobody would tell `send`."""
    leaving = asyncio.ensure_future(_left(receive))
    chunk, left = begun.first, begun.span.count
    following: asyncio.Future[bytes] | None = None
    try:
        while chunk and not leaving.done():
            left -= len(chunk)
            following = apart(next, begun.chunks, b"") if left else None
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            chunk = await following if following else b""
    except Exception:
        log.warning("a download broke off", exc_info=True)  # its status has left, so all that can be told is an end
        return
    finally:
        leaving.cancel()
        if following is not None and not following.done():
            await asyncio.wait([following])  # a thread must not read from what is being closed
    if not left:
        await send({"type": "http.response.body", "body": b""})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _described(key: str) -> list[tuple[bytes, bytes]]:
    """What a file is and how it is called: by its name alone, whatever its content."""
    name = key.rsplit("/", 1)[-1]
    ending = name.rsplit(".", 1)[-1].lower()
    kind = b"text/plain" if ending in TEXTS else MEDIA.get(ending, b"application/octet-stream")
    called = f"filename={name}" if PLAIN_NAME.fullmatch(name) else f"filename*=UTF-8''{quote(name)}"
    return [(b"content-type", kind), (b"content-disposition", f"attachment; {called}".encode())]


# --- in ---


def announced(scope: Scope) -> int | None:
    """How many bytes the client says it will send."""
    value = header(scope, b"content-length")
    return int(value) if value and value.isdigit() else None


async def receive_file(file: Opened, receive: Receive, *, limit_bytes: int, keep: Keep) -> None:
    """Write the body as a draft, then `keep` it. It appears whole or not at all."""
    gathered: list[bytes] = []
    size = 0
    draft: Draft | None = None
    writing: asyncio.Future[None] | None = None
    try:
        async for chunk in body_chunks(receive, limit_bytes):
            gathered.append(chunk)
            size += len(chunk)
            if size >= BATCH_BYTES:
                if writing is not None:
                    await writing
                if draft is None:
                    draft = await apart(file.store.draft, file.key)
                writing = apart(draft.write, gathered)
                gathered, size = [], 0
        if writing is not None:
            await writing
        await apart(_finish, file, draft, gathered, keep)
    finally:
        if writing is not None and not writing.done():
            await asyncio.wait([writing])
        if draft is not None:
            await apart(draft.drop)


def _finish(file: Opened, draft: Draft | None, left: list[bytes], keep: Keep) -> None:
    """The end of an upload, and the whole of a small one, in one go."""
    draft = draft or file.store.draft(file.key)
    try:
        if left:
            draft.write(left)
        keep(draft)
    finally:
        draft.drop()


async def body_chunks(receive: Receive, limit_bytes: int) -> AsyncIterator[bytes]:
    """The body as it arrives. Raises when the client goes away before its end, or sends too much."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InvalidInput("The client went away before its file was complete. Nothing was stored.")
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size > limit_bytes:
            limit = f"{limit_bytes // GIB} GiB" if limit_bytes >= GIB else f"{limit_bytes // 1024**2} MiB"
            raise TooLarge(f"An artifact may have at most {limit} here. Nothing was stored.")
        if chunk:
            yield chunk
