"""Hypothesis for the heart: no deadline for an example, since time on a shared machine says nothing."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("innoai", deadline=None)
settings.load_profile("innoai")
