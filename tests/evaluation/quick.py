"""Fewer examples where each of them draws patients hundreds of times."""

from __future__ import annotations

from hypothesis import settings

quick = settings(max_examples=25, deadline=None)
