"""`python -m benchmarks.swap` measures what it says, here with painters that need no checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import swap
from tests.conftest import needed
from tests.painters_for_tests import TintedPainter

pygame = needed("pygame", "pygame-ce")


def test_a_change_of_checkpoints_is_measured_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    for name, value in {"open_carefully": TintedPainter, "LIBRARIES": (), "WARM_UP_S": 0.3, "TAKING_IN_S": 0.3, "LONGEST_S": 60.0}.items():
        monkeypatch.setattr(swap, name, value)
    swap.main(["--size", "256x192", "--out", str(tmp_path / "swap.json")])
    told = json.loads((tmp_path / "swap.json").read_text())
    assert told == json.loads(capsys.readouterr().out) and told["size"] == [256, 192] and told["machine"]
    for change in ("unexpected", "there", "back"):
        assert set(told[change]) == {"loading", "taking_over", "held_up", "held_up_before"}
        assert all(0 <= ms < 60_000 for ms in told[change].values()) and told[change]["held_up"] > 0
    assert set(told["lost"]) == {"lost", "held_up", "held_up_before"} and 0 < told["lost"]["lost"] < 60_000
