"""What holds for all unit tests."""

from __future__ import annotations

import pytest
from gevent.monkey import is_module_patched


def pytest_collection_finish() -> None:
    if is_module_patched("threading"):
        # The doubles' threads would wait for each other for ever, a long way from the cause.
        raise pytest.UsageError(
            "a unit test imports pyinfra_cli, which patches threads for gevent: see test_settings.py"
        )
