from __future__ import annotations

import pytest

from detent.deploy import check_system_packages, missing_system_packages
from detent.errors import DeployError


def test_programs_and_libraries_of_the_machine_are_found() -> None:
    assert missing_system_packages(["sh", "git", "libc.so.6", "c", "libm"]) == []


def test_everything_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(DeployError, match=r"this machine lacks no-such-program, libnosuch.so.1, which system_packages"):
        check_system_packages(["sh", "no-such-program", "libnosuch.so.1"])
