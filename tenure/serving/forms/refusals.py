"""What a form says no with. Apart from what computes, so that a gateway without forms loads no numbers."""

from __future__ import annotations


class Refused(Exception):
    """The version itself fails at such a value. Names the column, never the value."""


class CannotUse(Exception):
    """A form that must not answer; the text says why, without anything from the data."""
