"""The scripts that run before anything is installed, and the words that must agree."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))
import environment
import figures
import offline_bundle
import run
import torch_build

from engine.desktop.apps import registry
from engine.desktop.desktop import Desktop
from engine.events import Ask, Key
from tests.test_offline import unshared

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = ("python3 scripts/run.py", "python3 scripts/test.py")


def test_readme_and_ci_hold_the_two_commands_word_for_word() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "```\n" + "\n".join(COMMANDS) + "\n```" in readme
    lines = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert [line for line in (line.removesuffix(' "${offline[@]}"') for line in lines) if line in COMMANDS] == list(COMMANDS)
    assert re.findall(r"^ *offline=\((.*)\)$", "\n".join(lines), re.MULTILINE) == ["", "--no-network"]  # or nothing


def test_the_figures_of_each_page_are_those_of_the_results() -> None:
    for page, told in figures.figured().items():
        assert f"{figures.START}\n{told}\n{figures.END}" in (ROOT / page).read_text("utf-8"), page


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


@pytest.fixture
def tree(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A project's folder of its own, with the real pyproject.toml and no `.venv`; pip and other commands only noted."""
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text("utf-8"), "utf-8")
    interpreter = environment.python(tmp_path / ".venv")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(environment, "python", lambda venv=None: interpreter)
    for name in ("PIXELOS_WHEELS", "PYTHONDONTWRITEBYTECODE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, tree: Path) -> list[list[str]]:
    """What the scripts would have run; making the environment leaves an interpreter that is only a file."""
    noted: list[list[str]] = []

    def note(command: list[str], advice: str | None = "") -> int:
        noted.append(list(command))
        if "venv" in command:
            environment.python().parent.mkdir(parents=True)
            environment.python().touch()
        return 0

    monkeypatch.setattr(environment, "run", note)
    monkeypatch.setattr(environment, "index_options", lambda build: [])
    monkeypatch.setattr(torch_build, "card", lambda: None)
    return noted


def test_a_ready_environment_is_not_installed_again(commands: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    environment.ready(False)
    assert commands[0][1:4] == ["-m", "venv", "--clear"] and {"-e", "."} < set(commands[-1])
    started = len(commands)
    environment.ready(False)
    assert len(commands) == started
    monkeypatch.setattr(environment, "usable_version", lambda: environment.THIS)
    environment.ready(True)
    assert commands[started:] and not any("venv" in command for command in commands[started:])
    started = len(commands)
    environment.ready(True)
    environment.ready(False)
    assert len(commands) == started


def test_what_python_compiles_is_kept_in_the_environment_where_it_is_not_to_lie_beside_the_sources(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", "")
    environment.ready(False)
    assert not os.environ["PYTHONPYCACHEPREFIX"]
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    environment.ready(False)
    assert "PYTHONDONTWRITEBYTECODE" not in os.environ and os.environ["PYTHONPYCACHEPREFIX"] == str(environment.VENV / "bytecode")


def test_the_stamp_follows_what_is_installed_and_nothing_else(tree: Path) -> None:
    project, text = tree / "pyproject.toml", (tree / "pyproject.toml").read_text("utf-8")
    before = environment.fingerprint()
    project.write_text(text.replace("line-length = 110", "line-length = 100"), "utf-8")
    assert environment.fingerprint() == before
    project.write_text(text.replace('"rich>=13"', '"rich>=14"'), "utf-8")
    assert environment.fingerprint() != before


def test_a_damaged_stamp_and_a_python_that_was_exchanged_count_for_nothing(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "stamp").write_text("ab12 cd34")
    assert environment.read_stamp(tree / "stamp") == {} == environment.read_stamp(tree / "nothing")
    stamp = {"project": "p", "tests": False, "python": "3.99"}
    monkeypatch.setattr(environment, "usable_version", lambda: "3.99")
    assert environment.holds(stamp, "p", tests=False)  # the user has two Pythons
    assert not environment.holds(stamp, "p", tests=True) and not environment.holds(stamp, "q", tests=False)
    monkeypatch.setattr(environment, "usable_version", lambda: None)
    assert not environment.holds(stamp, "p", tests=False)


def test_an_environment_left_half_made_is_not_usable(tree: Path) -> None:
    assert environment.usable_version() is None
    environment.python().parent.mkdir(parents=True)
    environment.python().write_text("not a program")
    assert environment.usable_version() is None


def test_an_old_python_is_told_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(environment, "OLDEST", (9, 0))
    with pytest.raises(SystemExit) as end:
        environment.ready(False)
    assert end.value.code == 2 and "too old" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("told", "build"),
    [
        ("580.65.06, 8.9", "cu130"),  # a card of these years
        ("535.104.05, 8.6", "cu126"),  # the same under an older driver
        ("581.15, 6.1", "cu126"),  # an old card under a new driver
        ("572.16, 12.0", "cu128"),  # Blackwell's first drivers
        ("470.82, 7.5", "cpu"),
        ("580.65, 6.1\n580.65, 9.0", "cu130"),
        ("NVIDIA-SMI has failed", "cpu"),
    ],
)
def test_the_build_of_torch_fits_card_and_driver(told: str, build: str) -> None:
    found = max(torch_build.cards(told), key=lambda card: card.capability, default=None)
    assert torch_build.fitting(found) == build


LINUX, WINDOWS = ("linux", "x86_64"), ("win32", "amd64")


@pytest.mark.parametrize(
    ("build", "settings", "system", "asked"),
    [
        ("cpu", [], LINUX, True),
        ("cu130", [], LINUX, False),
        ("cu126", [], LINUX, True),
        ("cpu", [], WINDOWS, False),
        ("cu130", [], WINDOWS, True),
        ("cpu", ["global.timeout='60'", "global.extra-index-url='https://index.invalid'"], LINUX, True),
        ("cpu", ["global.find-links='/wheels'"], LINUX, False),
        ("cu130", [":env:.index-url='https://index.invalid'"], WINDOWS, False),
        ("cu130", [":env:.no-index='1'"], WINDOWS, False),
    ],
)
def test_pytorchs_own_index_is_asked_only_where_pypi_has_another_build_and_pip_is_told_nothing(
    build: str, settings: list[str], system: tuple[str, str], asked: bool
) -> None:
    assert torch_build.wants_index(build, settings, system) == asked


def test_an_index_that_does_not_answer_is_given_up() -> None:
    def refused(url: str, timeout: float) -> None:
        raise URLError("refused")

    def silent(url: str, timeout: float) -> None:
        threading.Event().wait(5)

    def certified_by_others(url: str, timeout: float) -> None:
        raise URLError(ssl.SSLCertVerificationError("self-signed"))

    assert torch_build.PATIENCE < 5
    assert not torch_build.reachable("cpu", refused)
    assert not torch_build.reachable("cpu", silent, patience=0.05)
    assert torch_build.reachable("cpu", certified_by_others) and torch_build.reachable("cpu", lambda url, timeout: None)


def test_it_falls_back_to_pips_own_settings_and_says_so(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "index_options", lambda build: ["--index-url", build])
    monkeypatch.setattr(environment, "run", lambda command, advice="": commands.append(command) or int("cpu" in command))
    environment.install_torch()
    assert [("--index-url" in command) for command in commands] == [True, False]
    assert "pip's own settings" in capsys.readouterr().out


def test_a_failure_is_one_message_and_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        environment.run([sys.executable, "-c", "import sys; sys.exit(3)"], "do this next")
    assert end.value.code == 1 and "do this next" in capsys.readouterr().err
    assert environment.run([sys.executable, "-c", "import sys; sys.exit(3)"], None) == 3


@pytest.fixture
def suite() -> Any:
    """scripts/test.py, whose name is the standard library's."""
    spec = importlib.util.spec_from_file_location("suite", ROOT / "scripts" / "test.py")
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.mark.parametrize(("cores", "card", "count", "threads"), [(1, "", 1, None), (2, "", 2, "1"), (16, "", 4, "4"), (16, "/usr/bin/nvidia-smi", 1, None)])
def test_the_whole_suite_runs_in_several_processes(
    suite: Any, monkeypatch: pytest.MonkeyPatch, cores: int, card: str, count: int, threads: str | None
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.setattr(shutil, "which", lambda name: card if name == "nvidia-smi" else None)
    monkeypatch.setenv("OMP_NUM_THREADS", "")  # so that it is as it was when the test is over
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert suite.in_several()[:2] == (["-n", str(count)] if count > 1 else []) and os.environ.get("OMP_NUM_THREADS") == threads


def can_unshare() -> bool:
    """Whether the system lets this process have a network of its own, and a view of the files."""
    return unshared()[-1:] == ["-rn"] and not subprocess.run(["unshare", "-rnm", "true"], capture_output=True).returncode and bool(shutil.which("ip"))


def test_the_suite_is_run_without_a_network_where_that_is_asked(
    suite: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(environment, "ready", lambda tests: Path(sys.executable))
    monkeypatch.setattr(environment, "become", ran.append)
    monkeypatch.setattr(os, "chdir", lambda path: None)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(sys, "argv", ["test.py", "-x"])
    suite.main()
    assert ran == [[sys.executable, "-m", "pytest", "-x"]]
    monkeypatch.setattr(sys, "argv", ["test.py", "--no-network", "-x"])
    if can_unshare():
        suite.main()
        assert Path(ran[1][0]).is_absolute() and ran[1][-4:] == ran[0]
        seen = subprocess.run([*ran[1][:-4], "cat", "/proc/net/dev"], capture_output=True, text=True, check=True).stdout
        assert [line.partition(":")[0].strip() for line in seen.splitlines() if ":" in line] == ["lo"]
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SystemExit):
        suite.main()
    assert "--no-network needs Linux" in capsys.readouterr().err


@pytest.mark.parametrize(("tests", "checks"), [(0, 0), (1, 0), (0, 1)])
def test_where_everything_counts_the_checks_count_too(
    suite: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tests: int, checks: int
) -> None:
    """What they say comes in one piece, after what the tests say."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "check.py").write_text(f"print('checked')\nraise SystemExit({checks})\n")
    monkeypatch.chdir(tmp_path)
    waits = "import time; time.sleep(1)"
    code = suite.checked(sys.executable, [sys.executable, "-c", f"{waits}; print('tested'); raise SystemExit({tests})"])
    assert bool(code) == bool(tests or checks) and capfd.readouterr().out == "tested\nchecked\n"


def test_an_x_server_without_a_network_leaves_the_one_outside_its_socket(suite: Any, xvfb: str) -> None:
    """Of the same number, which a network of its own takes for free."""
    if not can_unshare():
        pytest.skip("this system gives no network namespace; on Linux allow user namespaces")
    outside = Path(suite.DISPLAYS, f"X{xvfb[1:]}")
    before = outside.stat().st_ino
    inside = f"Xvfb {xvfb} -screen 0 64x64x24 -nolisten tcp & sleep 2; ls {suite.DISPLAYS}; kill $!; wait"
    seen = subprocess.run([*suite.without_network(), "sh", "-c", inside], capture_output=True, text=True, timeout=60)
    assert seen.stdout.split() == [outside.name], seen.stderr
    assert outside.is_socket() and outside.stat().st_ino == before


def test_a_folder_of_wheels_is_installed_from_without_a_network(commands: list[list[str]], tree: Path) -> None:
    (tree / "wheels").mkdir()
    assert environment.bundle() is None
    (tree / "wheels" / "torch-2.13.0-py3-none-any.whl").touch()
    environment.install(tests=True)
    assert commands and all("--no-index" in c and str(tree / "wheels") in c for c in commands)
    assert "--no-build-isolation" in commands[-1] and ".[test]" in commands[-1]
    assert "--tests" in environment.bundle_advice(True)


def test_the_bundle_holds_what_an_install_without_a_network_needs() -> None:
    small, whole = offline_bundle.wanted(tests=False), offline_bundle.wanted(tests=True)
    assert {environment.requirement("torch"), environment.requirement("setuptools")} < set(small) < set(whole)
    assert any(name.startswith("pytest") for name in whole) and not any(name.startswith("pytest") for name in small)
    made = offline_bundle.command("python", small, ["--find-links", "wheels"])
    assert made[:4] == ["python", "-m", "pip", "wheel"] and set(small) <= set(made)


def test_the_bundle_is_of_the_versions_that_are_installed(
    commands: list[list[str]], tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = "rich==14.0\ntorch==2.13.0+cpu\n"
    done = subprocess.CompletedProcess([], 0, stdout=listed)
    monkeypatch.setattr(offline_bundle.subprocess, "run", lambda *command, **how: done)
    monkeypatch.setattr(environment, "ready", lambda tests: Path("python"))
    monkeypatch.setattr(offline_bundle, "FOLDER", tree / "wheels")
    monkeypatch.setattr(sys, "argv", ["offline_bundle.py", "--tests"])
    assert offline_bundle.main() == 0
    assert (tree / "wheels" / "versions.txt").read_text() == listed
    assert "torch==2.13.0+cpu" in commands[-2] and "--constraint" in commands[-1]


@pytest.mark.skipif(os.name == "nt", reason="Windows tells the whole console, and cannot send a signal to one process")
def test_ctrl_c_reaches_the_program_and_leaves_it_its_time() -> None:
    ending = "import sys, time\ntry: print('up', flush=True); time.sleep(60)\nexcept KeyboardInterrupt: time.sleep(1); sys.exit(7)"
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'scripts')!r}); import environment; " \
           f"environment.become([sys.executable, '-c', {ending!r}])"  # fmt: skip
    # A job that a shell put in the background is born deaf to Ctrl-C, and so would its children be.
    hear = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, preexec_fn=hear)
    assert process.stdout and process.stdout.readline() == b"up\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 7
    process.stdout.close()


def test_a_display_is_looked_for_on_linux_only() -> None:
    assert not run.has_display({}, "linux")
    assert run.has_display({"DISPLAY": ":0"}, "linux") and run.has_display({}, "win32")


def test_without_a_display_the_demo_is_played_and_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    became: list[list[str]] = []
    monkeypatch.setattr(environment, "ready", lambda tests: Path("python"))
    monkeypatch.setattr(environment, "become", lambda command: became.append(command) or 0)
    monkeypatch.setattr(run, "has_display", lambda environ, platform: False)
    monkeypatch.setattr(sys, "argv", ["run.py"])
    assert run.main() == 0
    assert became[0][-1].endswith("demo.py") and "no display" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["run.py", "doctor", "--json"])
    assert run.main() == 0 and became[1][-3:] == ["ui.cli", "doctor", "--json"]


def test_ci_is_a_script_that_can_be_run() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK) or os.name == "nt"


def test_a_dream_by_rules_alone_stands_beside_the_dreamers_once_it_is_measured() -> None:
    dream = figures._result("dream")
    rules = {**dream, "transitions": {**dream["transitions"], "accuracy": 0.5},
             "drift": {**dream["drift"], "by_session": [[30.0, 24.1, 20.0], [30.0, 24.0, 20.0]], "sessions": 2}}  # fmt: skip
    assert "rules" not in figures.dream_figures(dream)
    told = figures.dream_figures(dream, rules)
    assert "|  | with the dreamer | the rules alone |" in told and "50.0% (some of" in told and "1 of 2 (24.0 to 24.1) |" in told
    rules["checkpoint"] = {**dream["checkpoint"], "sha256": "0123456789abcdef"}
    assert "the rules alone, 0123456789ab |" in figures.dream_figures(dream, rules), "other weights are told"


def test_what_was_not_always_measured_is_told_where_it_is() -> None:
    before = {**figures._result("quality"), "persistency": {"share": 1.0, "frames": 30}}
    before.pop("contrast", None)
    told = figures.quality_table(before)
    assert "contrast" not in told and told.endswith("Pictures stood unharmed in 100% of 30 frames.")
    kept = {"share": 0.75, "frames": 60, "by_kind": {kind: {"share": share, "frames": 30} for kind, share in (("picture", 1.0), ("window", 0.5))}}
    contrast = {style: {"least": 4.7, "runs": 290, "below": 0} for style in before["text"]["by_style"]}
    told = figures.quality_table({**before, "persistency": kept, "contrast": {"least": 4.7, "by_style": contrast}})
    assert told.count(" 4.70:1 |") == len(contrast) and "290 or more runs" in told
    assert told.endswith("100% of 30 frames, and a window put in by the user was there in 50% of 30.")
