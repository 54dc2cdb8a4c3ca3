"""What every test stands on: servers (`fix_*`), a watch for leaks (`fix_leaks`)."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# Settings of the person who runs the tests must not reach the programs under test.
for _name in [name for name in os.environ if name.startswith("THUBON_") and not name.startswith("THUBON_TEST_")]:
    if _name != "THUBON_INSTALL":
        del os.environ[_name]

# A busy machine takes long over one example now and then, which says nothing of the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

pytest_plugins = [
    "tests.fix_leaks",
    "tests.fix_database",
    "tests.fix_broker",
    "tests.fix_proxy",
    "tests.fix_browser",
    "tests.fix_worker",
]


@pytest.fixture
def fault_count() -> int:
    """How often a test marked `fault` injects its fault: once, or as `make faults` says."""
    return int(os.environ.get("THUBON_TEST_FAULT_COUNT", "1"))
