"""The unmodified `mlflow` client does a day's work against the protocol."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tenure.store import audit
from tenure.store.ground import Ground

SESSION = Path(__file__).with_name("client_session.py")


def test_a_day_with_the_unmodified_client(tracking_url: str, ground: Ground) -> None:
    command = [sys.executable, str(SESSION), tracking_url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)

    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.endswith("all done\n")
    with ground.database.reading() as tx:
        assert audit.verify(tx).first_bad is None
        ended = audit.search(tx, action="run.ended")
    assert len(ended) >= 6
