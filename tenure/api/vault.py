"""Routes about protected attributes and proxy tests. No route gives an attribute's values out."""

from __future__ import annotations

from typing import Annotated

from litestar import Request, get, post, put
from litestar.datastructures import State
from litestar.params import QueryParameter

from tenure.access import MODEL
from tenure.manage import proxies, vault
from tenure.records.people import Permission, Principal
from tenure.records.policies import ProxyTest, VaultEntry
from tenure.store.ground import Ground


@put("/api/v1/vault/{attribute:str}", permission=Permission.PROTECT, sync_to_thread=True)
def put_attribute(
    attribute: str,
    body: bytes,
    request: Request[object, object, State],
    ground: Ground,
    principal: Principal,
    key: str,
) -> VaultEntry:
    """Keep a protected attribute: CSV or Parquet with two columns, of which `key` names the rows. It is sealed."""
    vault.check_name(attribute)
    found = vault.read(body, request.headers.get("content-type", ""), key)
    return ground.database.write(
        lambda tx: vault.put(tx, ground.key, attribute, found, by=principal.name, now=ground.clock())
    )


@get("/api/v1/vault", permission=Permission.PROTECT, sync_to_thread=True)
def list_attributes(ground: Ground) -> list[VaultEntry]:
    """What is in the vault: names, numbers of rows and keyed digests, never a value."""
    return ground.database.read(vault.entries)


@post(
    "/api/v1/models/{name:str}/versions/{version:int}/proxy-tests",
    permission=Permission.PROTECT,
    subject=MODEL,
    sync_to_thread=True,
)
def measure_version(
    name: str,
    version: int,
    body: bytes,
    request: Request[object, object, State],
    ground: Ground,
    principal: Principal,
    key: str,
    purpose: str,
    attribute: Annotated[list[str] | None, QueryParameter(description="Only these; default all.")] = None,
) -> list[ProxyTest]:
    """Measure how well a version's features predict each protected attribute; the rows are CSV or Parquet."""
    content_type = request.headers.get("content-type", "")
    return proxies.measure(
        ground,
        name,
        version,
        body,
        content_type,
        key=key,
        attributes=attribute or [],
        purpose=purpose,
        by=principal.name,
        now=ground.clock(),
    )


@get(
    "/api/v1/models/{name:str}/versions/{version:int}/proxy-tests",
    permission=Permission.PROTECT,
    subject=MODEL,
    sync_to_thread=True,
)
def list_tests(name: str, version: int, ground: Ground) -> list[ProxyTest]:
    """The newest proxy test of each attribute."""
    return ground.database.read(lambda tx: proxies.of_version(tx, name, version))


handlers = [put_attribute, list_attributes, measure_version, list_tests]
