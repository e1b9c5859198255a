"""Other detectors of change, shown beside Tenure's own: ADWIN and Page–Hinkley, as river has them.

They begin anew with the windows they are shown and have river's own settings, so they promise nothing about false
alarms. Nobody is woken by them.
"""

from __future__ import annotations

from typing import Any

from tenure.monitor.rows import Floats, Instants
from tenure.records.harm import Compared, Rival

MISSING = "river is not installed: pip install 'tenure[compare]' where the server runs"
MOST_ALARMS = 20


def compared(name: Rival, losses: Floats, event_at: Instants) -> Compared:
    """When one of them raised an alarm on losses of 0–1 in the order of prediction; the latest ones."""
    try:
        detector = _made(name)
    except ImportError:
        return Compared(detector=name, problem=MISSING)
    found = []
    for at, loss in zip(event_at.tolist(), losses.tolist(), strict=True):
        detector.update(loss)
        if detector.drift_detected:
            found.append(at)
    return Compared(detector=name, alarms_at=found[-MOST_ALARMS:], rows=len(losses))


def _made(name: Rival) -> Any:
    from river import drift

    detectors: Any = drift
    return detectors.ADWIN() if name == "adwin" else detectors.PageHinkley(mode="up")
