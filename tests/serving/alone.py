"""The gateway alone, for tests: `python alone.py SETTINGS_JSON NAME [SCORER]`. A release's location is a folder here.

SCORER: the module that its scorers run, when it is not the real one.
"""

import os
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec

from tenure.records.people import Permission, Principal
from tenure.serving import gateway, processes
from tenure.settings import Settings

OWNER = Principal(name="owner", kind="owner", permissions=frozenset(Permission))
VISITOR = Principal(name="visitor", kind="nobody", permissions=frozenset({Permission.PUBLIC, Permission.READ}))


def end_with_parent() -> None:
    """The test holds our standard input open; when it is gone, so are we."""
    os.read(0, 1)
    os._exit(0)


def tables_of(settings: Settings) -> Any:
    if not settings.lookups:
        return None
    from tenure.store.lookup_tables import LookupTables  # which a gateway without look-ups never loads

    return LookupTables(settings.lookups, settings.lookup_timeout_s)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    if sys.argv[3:]:
        processes.PROGRAM = ("-m", sys.argv[3])
    settings = msgspec.json.decode(sys.argv[1], type=Settings)
    gateway.run(
        settings,
        lambda release: Path(release.location),
        lambda headers: VISITOR if "cookie" in headers or "authorization" in headers else OWNER,
        tables=tables_of(settings),
        name=sys.argv[2],
    )
