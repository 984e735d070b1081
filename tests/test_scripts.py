"""The scripts that run before anything is installed, the doctor, and the words that must agree."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import environment
import offline_bundle
import run

from engine.desktop.apps import registry
from engine.desktop.desktop import Desktop
from engine.events import Ask, Key
from ui import doctor

COMMANDS = ("python3 scripts/run.py", "python3 scripts/test.py")


def test_readme_and_ci_hold_the_two_commands_word_for_word() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "```\n" + "\n".join(COMMANDS) + "\n```" in readme
    lines = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert [line for line in lines if line in COMMANDS] == list(COMMANDS)


def test_the_readmes_app_works_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    code = re.search(r"### An app.*?```python\n(.*?)```", readme, re.DOTALL)
    assert code
    space: dict[str, object] = {}
    exec(code[1], space)
    monkeypatch.setitem(registry.APPS, "Counter", space["Counter"])
    desktop = Desktop()
    for event in (Ask(0.1, "counter"), Key(0.2, "enter"), Key(0.3, "enter")):
        desktop.handle(event)
    assert any(w.text == "Counted to 2" for w in desktop.widgets)
    again = Desktop(state=json.loads(json.dumps(desktop.state())))
    assert any(w.text == "Counted to 2" for w in again.widgets)


def test_the_readmes_style_works_as_it_stands() -> None:
    from engine.styles import Style

    readme = (ROOT / "README.md").read_text("utf-8")
    row = re.search(r'"mint": (Style\(.*?\)),\n', readme)
    assert row and eval(row[1], {"Style": Style}).palette().shape == (19, 3)


def test_the_stamp_follows_the_project_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").write_text("a")
    first = environment.fingerprint(False)
    assert first == environment.fingerprint(False) != environment.fingerprint(True)
    (tmp_path / "pyproject.toml").write_text("b")
    assert environment.fingerprint(False) != first


def test_a_ready_environment_is_not_installed_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(environment, "VENV", tmp_path)
    interpreter = environment.python(tmp_path)
    monkeypatch.setattr(environment, "python", lambda venv=tmp_path: interpreter)
    interpreter.parent.mkdir(parents=True)
    interpreter.touch()
    installed: list[bool] = []
    monkeypatch.setattr(environment, "install", installed.append)
    environment.ready(True)
    environment.ready(True)
    environment.ready(False)
    assert installed == [True]


@pytest.mark.parametrize(
    ("environ", "system", "gpu", "asked"),
    [({}, "posix", False, True), ({}, "posix", True, False), ({}, "nt", True, True), ({}, "nt", False, False),
     ({"PIP_FIND_LINKS": "/wheels"}, "posix", False, False), ({"PIP_NO_INDEX": "1"}, "nt", True, False)],
)  # fmt: skip
def test_pytorchs_own_index_is_asked_only_where_pypi_has_the_wrong_build(
    environ: dict[str, str], system: str, gpu: bool, asked: bool
) -> None:
    assert environment.wants_index(environ, system, gpu) == (asked and sys.platform != "darwin")


def test_an_index_that_does_not_answer_is_given_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(address: tuple[str, int], timeout: float) -> socket.socket:
        assert timeout <= 5
        raise OSError

    assert not environment.reachable(("index.invalid", 443), refused)
    monkeypatch.setattr(environment, "reachable", lambda address: False)
    assert not environment.torch_from_index("cpu")
    assert "cannot be reached" in capsys.readouterr().out


def test_a_folder_of_wheels_is_installed_from_without_a_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commands: list[list[str]] = []
    monkeypatch.setenv("PIXELOS_WHEELS", str(tmp_path))
    monkeypatch.setattr(environment, "pip", lambda arguments, check=True: commands.append(list(arguments)) or 0)
    (tmp_path / "torch-2.13.0-py3-none-any.whl").touch()
    environment.install(tests=True)
    assert all("--no-index" in c and str(tmp_path) in c for c in commands)
    assert commands[-1][-2:] == ["-e", ".[test]"]


def test_the_bundle_holds_what_an_install_without_a_network_needs() -> None:
    made = offline_bundle.command("python", "wheels", tests=True)
    assert made[:4] == ["python", "-m", "pip", "wheel"]
    assert {"wheel", environment.TORCH, ".[test]"} <= set(made) and any(w.startswith("setuptools") for w in made)


def test_a_display_is_looked_for_on_linux_only() -> None:
    assert not run.has_display({}, "linux")
    assert run.has_display({"DISPLAY": ":0"}, "linux") and run.has_display({}, "win32")


def facts() -> dict[str, object]:
    return {"system": "Linux", "cpu": "cpu", "cores": 2, "memory_gb": 8, "python": "3.11", "torch": "2.13", "cuda": None,
            "gpus": [{"name": "RTX", "driver": "1", "vram_gb": 8, "vram_free_gb": 7}]}  # fmt: skip


def test_the_doctor_names_what_is_wrong_and_what_mends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.check import Verdict

    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    good, bad = Verdict("bundled", "", "bundled", True, sha256="ab"), Verdict("bundled", "", "unknown", False, "damaged")
    monkeypatch.setattr(doctor, "_version", lambda name: "2")
    assert doctor.run(tmp_path, False, facts, lambda profile: [good]) == 0
    told = capsys.readouterr().out
    assert "cannot use it" in told and "both installed" in told and "mend: pip uninstall" in told
    assert doctor.run(tmp_path, True, facts, lambda profile: [bad]) == 1
    assert any(f["wrong"] == "stops" and f["mend"] for f in json.loads(capsys.readouterr().out))


def test_the_doctor_says_that_torch_is_missing(tmp_path: Path) -> None:
    def missing() -> dict[str, object]:
        raise ImportError("no torch")

    findings = doctor.diagnose(tmp_path, missing, lambda profile: [])
    assert findings[0].wrong == "stops" and "pip install" in findings[0].mend


def test_a_profile_below_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    findings = doctor.diagnose(tmp_path / "file" / "profile", facts, lambda profile: [])
    assert any(f.what == "profile" and f.wrong and "--profile" in f.mend for f in findings)


def test_ci_is_a_script_that_can_be_run() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK) or os.name == "nt"
