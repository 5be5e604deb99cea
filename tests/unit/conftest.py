"""What holds for all unit tests."""

from __future__ import annotations

import os

import pytest
from gevent.monkey import is_module_patched
from hypothesis import HealthCheck, settings

# However long a busy host takes; and the same examples every time, unless many are asked for (fuzz/).
_ANY_HOST = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
settings.register_profile("unit", _ANY_HOST, derandomize=True)
settings.register_profile("long", _ANY_HOST)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "unit"))


def pytest_collection_finish() -> None:
    if is_module_patched("threading"):
        # The doubles' threads would wait for each other for ever, a long way from the cause.
        raise pytest.UsageError(
            "a unit test imports pyinfra_cli, which patches threads for gevent: see test_settings.py"
        )
