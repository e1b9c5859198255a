"""The unmodified `mlflow` client does a day's work on a real server: on SQLite, and on Postgres."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tenure.store import audit
from tenure.store.database import Database
from tests.conftest import new_postgres, serving

SESSION = Path(__file__).with_name("client_session.py")


def test_a_day_with_the_unmodified_client_on_both_databases(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """One process of the client for both: its imports take as long as its day."""
    with new_postgres(request.getfixturevalue("postgres_url")) as url:
        lite, post = tmp_path / "sqlite", tmp_path / "postgres"
        with (
            serving(lite, "--only", "control") as first,
            serving(post, "--only", "control", "--database-url", url) as second,
        ):
            command = [sys.executable, str(SESSION), first.url, second.url]
            done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)

        assert done.returncode == 0, done.stdout[-500:] + done.stderr[-3000:]
        assert done.stdout.count("all done\n") == 2
        for kept in (f"sqlite:///{lite}/tenure.db", url):
            assert_told(kept)


def assert_told(url: str) -> None:
    """The audit log fits, and tells of every run that ended."""
    database = Database(url)
    with database.reading() as tx:
        assert audit.verify(tx).first_bad is None
        ended = audit.search(tx, action="run.ended")
    database.close()
    assert len(ended) >= 6
