"""Hypothesis without a time limit for each example: the machine that tests may be busy, and that says nothing."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
