"""What a scorer may take of its machine, set by itself before it loads a model.

Memory is bounded by RLIMIT_DATA: it counts what a process may write to and nobody else sees, which is what models fill.
RLIMIT_AS would count what libraries only reserve, and files that are mapped, which are many times as much.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys

MIB = 1024 * 1024
NICE = 1
"""A scorer steps back a little for the gateway that reads, journals and answers for all of them."""
EXHAUSTED_FROM = 0.9


def memory_mib(asked: int) -> int:
    """The limit in MiB: as asked, or half of the machine's memory when 0 was."""
    if asked:
        return asked
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2 // MIB


def apply(memory: int) -> None:
    """Bound this process and its children: memory in MiB each, no core dumps, which would hold rows of data.

    The limits are hard, so that a model cannot lift them again.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = memory * MIB if hard == resource.RLIM_INFINITY else min(memory * MIB, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    with contextlib.suppress(OSError):  # where priorities may not be changed
        os.nice(NICE)


def is_exhausted() -> bool:
    """Whether so little is left of the limit that only a new process helps.

    A single request that asks for too much leaves the process as it was; a leak does not.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return limit != resource.RLIM_INFINITY and data_bytes() > EXHAUSTED_FROM * limit


def data_bytes() -> int:
    """How much of the limit is used; 0 where the kernel does not tell."""
    if sys.platform != "linux":
        return 0
    with open("/proc/self/statm", encoding="ascii") as told:
        return int(told.read().split()[5]) * resource.getpagesize()
