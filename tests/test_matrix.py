"""README tells of every family how it was tested."""

from __future__ import annotations

from tests.matrix import NAMES, PLACE, README, TESTS, families_of, table


def test_readme_tells_which_family_was_tested_how() -> None:
    found = PLACE.search(README.read_text("utf-8"))
    assert found is not None and found[0] == table(), "run python -m tests.matrix"


def test_at_least_twelve_families_pass_every_column_that_they_can() -> None:
    for column, tests in TESTS.items():
        names = set[str]().union(*map(families_of, tests))
        assert names <= set(NAMES) and (len(names) >= 12 or "file" in column), column
