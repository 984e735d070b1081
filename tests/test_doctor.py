"""The doctor names what is wrong, and the command that mends it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import machine
from models.check import Verdict
from ui import doctor


def facts() -> dict[str, object]:
    return {"system": "Linux", "cpu": "cpu", "cores": 2, "memory_gb": 8, "python": "3.11", "torch": "2.13", "cuda": None, "cuda_usable": False,
            "gpus": [{"name": "RTX", "driver": "1", "vram_gb": 8, "vram_free_gb": 7}]}  # fmt: skip


def test_the_doctor_names_what_is_wrong_and_what_mends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    good, bad = Verdict("bundled", "", "bundled", True, sha256="ab"), Verdict("bundled", "", "unknown", False, "damaged")
    monkeypatch.setattr(doctor, "_version", lambda name: "2")
    assert doctor.run(tmp_path, False, facts, lambda profile: [good]) == 0
    told = capsys.readouterr().out
    assert "cannot use it" in told and "both installed" in told and "-m pip uninstall" in told
    assert doctor.run(tmp_path, True, facts, lambda profile: [bad]) == 1
    assert any(f["wrong"] == "stops" and f["mend"] for f in json.loads(capsys.readouterr().out))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the system has a display")
def test_a_display_at_which_nobody_answers_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", ":4321")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nowhere")

    def display() -> doctor.Finding:
        return next(f for f in doctor.diagnose(tmp_path, facts, lambda profile: []) if f.what == "display")

    assert display().wrong == "limits" and "no display server answers at DISPLAY=:4321" in display().is_so and "DISPLAY=:0 pixelos run" in display().mend
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")  # as somebody said himself
    assert not display().wrong


def test_a_display_that_answers_is_fine(tmp_path: Path, xvfb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", xvfb)
    found = next(f for f in doctor.diagnose(tmp_path, facts, lambda profile: []) if f.what == "display")
    assert not found.wrong and found.is_so == f"DISPLAY={xvfb}"


def test_the_doctor_says_that_torch_is_missing(tmp_path: Path) -> None:
    def missing() -> dict[str, object]:
        raise ImportError("no torch")

    findings = doctor.diagnose(tmp_path, missing, lambda profile: [])
    assert findings[0].wrong == "stops" and "scripts/run.py" in findings[0].mend


def test_a_profile_below_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    findings = doctor.diagnose(tmp_path / "file" / "profile", facts, lambda profile: [])
    assert any(f.what == "profile" and f.wrong and "--profile" in f.mend for f in findings)


def test_a_driver_that_is_too_old_is_told(tmp_path: Path) -> None:
    old = {**facts(), "cuda": "13.0"}
    gpu = next(f for f in doctor.diagnose(tmp_path, lambda: old, lambda profile: []) if f.what == "GPU")
    assert gpu.wrong == "limits" and "too old" in gpu.is_so and "driver" in gpu.mend
    new = {**old, "cuda_usable": True}
    gpu = next(f for f in doctor.diagnose(tmp_path, lambda: new, lambda profile: []) if f.what == "GPU")
    assert not gpu.wrong


def test_checkpoints_that_cannot_be_looked_at_are_a_finding(tmp_path: Path) -> None:
    def missing(profile: str) -> list[Verdict]:
        raise ImportError("no torch")

    found = doctor.diagnose(tmp_path, facts, missing)[-1]
    assert found.what == "checkpoint" and found.wrong == "stops" and found.mend


def test_a_users_own_bad_checkpoint_only_limits(tmp_path: Path) -> None:
    bad = Verdict("mine", "", "unknown", False, "damaged")
    found = doctor.diagnose(tmp_path, facts, lambda profile: [bad])[-1]
    assert found.wrong == "limits" and "mine" in found.mend


def test_looking_leaves_nothing_behind(tmp_path: Path) -> None:
    doctor.diagnose(tmp_path / "profile", facts, lambda profile: [])
    assert list(tmp_path.iterdir()) == []


def test_this_machine_is_known() -> None:
    found = machine.machine_facts()
    assert found["cores"] >= 1 and found["memory_gb"] > 0 and found["cpu"] and isinstance(found["gpus"], list)
    json.dumps(found)
