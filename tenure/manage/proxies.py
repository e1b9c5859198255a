"""Proxy tests: whether a version's features together stand in for a protected attribute that none of them is.

The rows are joined with the vault here; a process of its own, which has neither the vault's key nor the server's
secrets, fits the models and answers figures. They are evidence of the version, and approvals that are pending on other
figures are void.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tenure.build import model_versions
from tenure.errors import InvalidInput, Unavailable
from tenure.manage import tables, vault, voiding
from tenure.records.base import Instant, new_id
from tenure.records.digests import digest_of
from tenure.records.policies import ProxyFigures, ProxyOrder, ProxyTest
from tenure.store import audit, proxy_tests
from tenure.store.database import Transaction
from tenure.store.ground import Ground

LONGEST_S = 600
KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV", "TMPDIR")
_one_at_a_time = threading.Lock()


def measure(
    ground: Ground,
    model: str,
    version: int,
    body: bytes,
    content_type: str,
    *,
    key: str,
    attributes: Sequence[str],
    purpose: str,
    by: str,
    now: Instant,
) -> list[ProxyTest]:
    """Measure a version's features against attributes of the vault, all when none is named, and keep the results.

    One test runs at a time. Writes one audit event for each attribute that is opened and each result. Raises
    InvalidInput when the rows lack a column or too few are left to judge.
    """
    if len(purpose.strip()) < 3:
        raise InvalidInput("Say why the protected attributes are read; it is told in the audit log.", where="purpose")
    info = ground.database.read(lambda tx: model_versions.get(tx, model, version))
    names = [column.name for column in info.inputs]
    numeric = {column.name for column in info.inputs if column.type not in ("string", "boolean", "binary")}
    columns = tables.read(body, content_type, as_text=(key, *(name for name in names if name not in numeric)))
    _check_columns(columns, names, key)
    keys = vault.keys_of(columns[key], key)
    features = {name: columns[name] for name in names}
    with _one_at_a_time:
        tests = [
            _measure(info.name, info.version, features, attribute, values, by=by, now=now)
            for attribute, values in _opened(ground, keys, attributes, purpose=purpose, by=by, now=now)
        ]
    return ground.database.write(lambda tx: _keep(tx, tests, by=by, now=now))


def of_version(tx: Transaction, model: str, version: int) -> list[ProxyTest]:
    """The newest test of each attribute. Raises NotFound for a version that is not there."""
    info = model_versions.get(tx, model, version)
    return proxy_tests.newest(tx, info.name, info.version)


def _opened(
    ground: Ground, keys: list[str], attributes: Sequence[str], *, purpose: str, by: str, now: Instant
) -> list[tuple[str, tables.Values]]:
    """Each attribute's value of every row; None where the vault does not know the key."""

    def read(tx: Transaction) -> list[tuple[str, tables.Values]]:
        wanted = list(attributes) or [entry.attribute for entry in vault.entries(tx)]
        if not wanted:
            raise InvalidInput("The vault is empty. Put an attribute into it with `tenure vault put`.")
        found = []
        for attribute in dict.fromkeys(wanted):
            values = vault.opened(tx, ground.key, attribute, purpose=purpose, by=by, now=now)
            told: Any = [values.get(key) for key in keys]
            found.append((attribute, told))
        return found

    return ground.database.write(read)


def _measure(
    model: str,
    version: int,
    features: dict[str, tables.Values],
    attribute: str,
    values: tables.Values,
    *,
    by: str,
    now: Instant,
) -> ProxyTest:
    found = run(ProxyOrder(columns=features, attribute=values))
    if found.problem:
        raise InvalidInput(f"{attribute!r} cannot be judged on these rows: {found.problem}", where="attribute")
    figures = msgspec.structs.asdict(found)
    del figures["problem"]
    return ProxyTest(
        test_id=new_id(now),
        model=model,
        version=version,
        attribute=attribute,
        digest=digest_of([attribute, figures]),
        made_by=by,
        made_at=now,
        **figures,
    )


def run(order: ProxyOrder) -> ProxyFigures:
    """Have a child process measure. It gets the rows through a pipe, and none of the server's settings or secrets."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tenure.manage.proxy_job"],
            input=msgspec.msgpack.encode(order),
            capture_output=True,
            env={name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ},
            timeout=LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InvalidInput(f"The proxy test took more than {LONGEST_S} s and was ended. Send fewer rows.") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise Unavailable(f"The proxy test's process ended without a result: {said[-1][:300]}")
    return msgspec.msgpack.decode(done.stdout, type=ProxyFigures)


def _keep(tx: Transaction, tests: list[ProxyTest], *, by: str, now: Instant) -> list[ProxyTest]:
    """Store the results. Pending approvals of the version are void unless every figure is what it was."""
    first = tests[0]
    before = {one.attribute: one.digest for one in proxy_tests.newest(tx, first.model, first.version)}
    for test in tests:
        proxy_tests.add(tx, test)
        detail = {
            "attribute": test.attribute,
            "auc": test.auc,
            "low": test.low,
            "high": test.high,
            "rows": test.rows,
            "digest": test.digest,
        }
        audit.append(tx, "proxy.tested", subject=f"{test.model}/{test.version}", by=by, at=now, detail=detail)
    if any(before.get(test.attribute) != test.digest for test in tests):
        voiding.void_stale(tx, first.model, first.version, what="a proxy test", by=by, now=now)
    return tests


def _check_columns(columns: Mapping[str, tables.Values], names: list[str], key: str) -> None:
    if not names:
        raise InvalidInput("The version has no input columns by name, so there is nothing to test. Log a signature.")
    missing = [name for name in [key, *names] if name not in columns]
    if missing:
        told = ", ".join(map(repr, missing))
        raise InvalidInput(f"The rows must have the key and every column that the version takes. Missing: {told}.")
