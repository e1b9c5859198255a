"""A child process that ends when its parent does, whatever happened to the parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int, with_signal: signal.Signals = signal.SIGTERM) -> None:
    """Ask the kernel to send `with_signal` when the parent dies; end at once when it has died already.

    Linux only; elsewhere it does nothing and the supervisor's own clean-up is all there is.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, with_signal)
    if os.getppid() != parent_pid:
        raise SystemExit(0)
