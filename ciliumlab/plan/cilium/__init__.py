"""Cilium's chart: the values that a lab needs, what is refused in them, and what is doubtful."""

from __future__ import annotations

from ciliumlab.plan.cilium.computed import values
from ciliumlab.plan.cilium.doubts import doubts
from ciliumlab.plan.cilium.rules import refused

__all__ = ["doubts", "refused", "values"]
