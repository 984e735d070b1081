"""Somebody else's checkpoints as a list and the picker tell of them: by indexes and headers alone, and none spoils the rest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models.check import glance
from models.facts import fact
from models.places import Found
from tests.hostile import BASES, CASES, sound_in
from tests.test_safe_loading import SPEC, copied


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sound_in(tmp_path_factory.mktemp("sound"))


@pytest.mark.parametrize(("name", "where"), [(name, where) for name, case in CASES.items() if case.row == 1 for where in case.where])
def test_a_list_of_checkpoints_reads_no_part_that_its_family_has_not(sound: Path, tmp_path: Path, name: str, where: str) -> None:
    """Row 1, where no more than headers are read: one hostile folder does not spoil the list, nor does it lead to another."""
    case, base = CASES[name], BASES[where]
    copied(sound / where, tmp_path / "lent")
    case.twin(copied(sound / where, tmp_path / "twin"), base)
    case.hostile(copied(sound / where, tmp_path / "hostile"), base)
    whole, twin, hostile = (Found(folder, tmp_path / folder, "checkpoint") for folder in ("lent", "twin", "hostile"))
    verdict = glance(twin)
    assert verdict.loadable and verdict.parameters == glance(whole).parameters and fact(twin, SPEC).family == where
    verdict = glance(hostile)
    assert not verdict.loadable and re.search(case.message, verdict.why) and "\n" not in verdict.why and fact(hostile, SPEC).why


def test_what_goes_while_it_is_listed_is_one_line_of_the_list(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(path: Path) -> int:
        raise FileNotFoundError(2, "No such file or directory", str(path))

    monkeypatch.setattr("models.check.weights_size", gone)
    monkeypatch.setattr("models.facts.weights_size", gone)
    found = Found("sd1", sound / "sd1", "checkpoint")
    assert "cannot be read (No such file or directory)" in glance(found).why == fact(found, SPEC).why
