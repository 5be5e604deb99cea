"""Whole runs against real machines: boot, deploy, prove, deploy again, reboot, kill, restore.

Each module makes a lab of its own from inventory/lab.yaml, with free SSH ports and its own state, so that
a lab that somebody uses is never touched. Its tests are one story, told in the order of the file.
"""

import pytest

# So that a step's assertion shows what it compared, as one in a test module does.
pytest.register_assert_rewrite(f"{__name__}.steps")
