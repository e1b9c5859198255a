"""`python -m examples.mortgage`: tell the story on a server of its own, in a temporary folder."""

from __future__ import annotations

import sys

from examples.mortgage.story import tell

if __name__ == "__main__":
    sys.exit(tell())
