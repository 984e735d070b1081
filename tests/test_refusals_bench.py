"""`python -m benchmarks.refusals` measures what it says: here one checkpoint that headers refuse, one that only its numbers do, and a sound one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import refusals
from tests.checkpoints import tiny_checkpoint
from tests.hostile import BASES, CASES


@pytest.mark.usefixtures("libraries_at_hand")
def test_every_way_to_a_refusal_is_measured_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, case in (("code", "code"), ("nan", "a number that is none"), ("sound", "")):
        folder = tiny_checkpoint(tmp_path / "all" / name)
        if case:
            CASES[case].hostile(folder, BASES["bundled"])
    refusals.main([str(tmp_path / "all"), "--out", str(tmp_path / "told.json")])
    told = json.loads((tmp_path / "told.json").read_text())
    assert told == json.loads(capsys.readouterr().out) and told["machine"] and told["soon_ms"] == 1000
    found = told["checkpoints"]
    assert [line.partition(": ")[0].strip() for line in (tmp_path / "told.json").read_text().splitlines()[-5:-2]] == ['"code"', '"nan"', '"sound"']
    assert not any(str(tmp_path) in row["why"] for row in found.values())
    assert found["code"]["check"] > 0 and found["code"]["told"] > 0 and "swap" not in found["code"]
    assert found["nan"]["check"] > 0 and found["nan"]["told"] is None and found["nan"]["swap"] > 0 and "not finite" in found["nan"]["why"]
    assert found["sound"] == {"why": "", "check": None, "told": None}
    assert (told["check"]["refused"], told["told"]["refused"], told["swap"]["refused"]) == (2, 1, 1)
    with pytest.raises(SystemExit):
        refusals.main([str(tmp_path / "none")])
