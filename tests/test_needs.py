"""What a test needs and is not there fails where everything is to be installed; it never passes for a test that ran."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import conftest

HERE = Path(__file__)


def test_a_missing_package_is_a_failure_in_ci_and_else_a_skip_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="the package no_such_package is missing; install it"):
        conftest.needed("no_such_package")
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="pip install no_such_package") as skipped:
        conftest.needed("no_such_package")
    assert skipped.value.allow_module_level  # of a whole file of tests too
    assert conftest.needed("json").loads("1") == 1


def test_no_file_of_tests_skips_itself_in_another_way() -> None:
    told = [path.name for path in HERE.parent.glob("*.py") if path != HERE and "importorskip" in path.read_text("utf-8")]
    assert not told
