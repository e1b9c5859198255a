"""Moving a file between a client and the object store directly, by URLs that are signed for some minutes.

obstore signs whole files on S3, GCS and Azure. It cannot sign the parts of a multipart upload: for those, and for a
signed "only where nothing is yet", botocore (the extra `s3`) speaks to S3.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import obstore
from obstore.store import AzureStore, GCSStore, S3Store

from tenure.errors import InvalidInput, NotFound, Unavailable

log = logging.getLogger("tenure.store.artifacts")
REFUSED = frozenset({"InvalidPart", "InvalidPartOrder", "EntityTooSmall", "EntityTooLarge", "MalformedXML"})
NO_UPLOAD = frozenset({"NoSuchUpload", "NoSuchKey", "404"})


class Signed(NamedTuple):
    """A URL, and headers that must be sent with it as they are."""

    url: str
    headers: dict[str, str]


class UploadedPart(NamedTuple):
    number: int
    etag: str


class Direct:
    """Signs requests for one object store."""

    def __init__(self, store: Any, url: str) -> None:
        self._store = store
        self._parts = S3Parts(url) if isinstance(store, S3Store) and has_botocore() else None

    @staticmethod
    def can_sign(store: Any) -> bool:
        return isinstance(store, S3Store | GCSStore | AzureStore)

    @property
    def parts(self) -> S3Parts | None:
        """Uploads in parts, where this store offers them here."""
        return self._parts

    def reading(self, key: str, seconds: int) -> Signed:
        return Signed(self._sign("GET", key, seconds), {})

    def writing(self, key: str, seconds: int, *, is_new: bool) -> Signed:
        """A URL to put a file. Where nothing has the key yet, the URL stores a file once and never replaces one, if
        this store can be told so."""
        if is_new and self._parts is not None:
            return self._parts.writing_new(key, seconds)
        return Signed(self._sign("PUT", key, seconds), {})

    def _sign(self, method: Any, key: str, seconds: int) -> str:
        try:
            return obstore.sign(self._store, method, key, datetime.timedelta(seconds=seconds))
        except Exception as failure:
            raise _unsigned(failure) from failure


class S3Parts:
    """Uploads in parts to a bucket: the server opens and completes them, clients put the parts."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._bucket, self._prefix = place.netloc, place.path.strip("/")

    @cached_property
    def _client(self) -> Any:
        from botocore.config import Config
        from botocore.session import get_session

        config = Config(signature_version="s3v4", request_checksum_calculation="when_required")
        with _told():
            return get_session().create_client("s3", config=config)

    def create(self, key: str, count: int, seconds: int) -> tuple[str, list[Signed]]:
        """Open an upload; its id and a URL for each of its parts."""
        with _told():
            upload_id = str(self._client.create_multipart_upload(**self._at(key))["UploadId"])
            urls = [
                self._signed("upload_part", seconds, **self._at(key), UploadId=upload_id, PartNumber=number)
                for number in range(1, count + 1)
            ]
        return upload_id, [Signed(url, {}) for url in urls]

    def complete(self, key: str, upload_id: str, parts: Sequence[UploadedPart]) -> None:
        """Make a file of the parts. It appears now, whole."""
        told = [{"PartNumber": part.number, "ETag": part.etag} for part in sorted(parts)]
        with _told():
            self._client.complete_multipart_upload(**self._at(key), UploadId=upload_id, MultipartUpload={"Parts": told})

    def abort(self, key: str, upload_id: str) -> None:
        with _told():
            self._client.abort_multipart_upload(**self._at(key), UploadId=upload_id)

    def writing_new(self, key: str, seconds: int) -> Signed:
        with _told():
            url = self._signed("put_object", seconds, **self._at(key), IfNoneMatch="*")
        return Signed(url, {"If-None-Match": "*"})

    def _signed(self, operation: str, seconds: int, **parameters: Any) -> str:
        return str(self._client.generate_presigned_url(operation, Params=parameters, ExpiresIn=seconds))

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": f"{self._prefix}/{key}" if self._prefix else key}


def has_botocore() -> bool:
    from importlib.util import find_spec

    return find_spec("botocore") is not None


def _unsigned(reason: Exception) -> Unavailable:
    log.warning("the object store refused: %s", reason)
    return Unavailable(
        "The object store cannot be asked now: the server's credentials for it are missing or were refused, or it does "
        "not answer. The reason is in the server's log."
    )


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """S3's refusals as errors of ours."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as failure:
        code = failure.response.get("Error", {}).get("Code", "")
        if code in NO_UPLOAD:
            raise NotFound("There is no such upload, or it was completed or aborted already.") from failure
        if code in REFUSED:
            raise InvalidInput(f"The parts do not make a file: {code}. Each but the last needs 5 MiB.") from failure
        raise _unsigned(failure) from failure
    except BotoCoreError as failure:
        raise _unsigned(failure) from failure
