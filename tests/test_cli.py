"""The command line: one message and the right exit code for whatever is given, and the README keeps its word."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ui import cli

ROOT = Path(__file__).parent.parent
WAIT = '{"pixelos_trace": 1, "size": [256, 192], "seed": 7}\n{"t": 0, "type": "wait"}\n'


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "trace.jsonl"
    path.write_text(WAIT)
    return path


def refused(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 2) -> str:
    """What `pixelos ARGUMENTS` says when it refuses: exactly one line on stderr."""
    assert cli.status([str(a) for a in arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("pixelos: ") and err.count("\n") == 1, err
    assert "Traceback" not in err
    return err


def pixelos(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ui.cli", *map(str, arguments)],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_help_in_its_own_process() -> None:
    done = pixelos("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for command in ("run", "replay", "record", "eval", "bench", "models", "train", "doctor"):
        assert re.search(rf"^  {command} ", done.stdout, re.MULTILINE), command


def test_replay_in_its_own_process(trace: Path, tmp_path: Path) -> None:
    done = pixelos("replay", trace, "--out", tmp_path / "out", "--checkpoint", "guide")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads((tmp_path / "out" / "report.json").read_text())["checkpoint"]["name"] == "guide"


def test_a_broken_trace_in_its_own_process(trace: Path, tmp_path: Path) -> None:
    trace.write_text(WAIT + '{"t": 1, "type": "jump"}\n')
    done = pixelos("replay", trace, "--out", tmp_path / "out", "--checkpoint", "guide")
    assert done.returncode == 2
    assert "line 3" in done.stderr and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_nothing_heavy_is_imported_for_help() -> None:
    code = (
        "import sys; from ui import cli; cli.status(['replay', '--help']); "
        "print([m for m in ('torch', 'pygame', 'numpy', 'diffusers', 'huggingface_hub') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.endswith("[]\n")


def test_hubs_are_switched_off_before_anything_else() -> None:
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert os.environ["DIFFUSERS_DISABLE_REMOTE_CODE"] == "1"


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["models"]):
        assert cli.status(arguments) == 0
        out, err = capsys.readouterr()
        assert "Commands:" in out and err == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fly"], "fly"),
        (["run", "--speed", "9"], "--speed"),
        (["replay"], "TRACE"),
        (["replay", "TRACE"], "--out"),
        (["replay", "TRACE", "--out", "OUT", "--frames", "some"], "--frames"),
        (["replay", "TRACE", "--out", "OUT", "--size", "500x384"], "multiples of 64"),
        (["replay", "TRACE", "--out", "OUT", "--size", "big"], "WIDTHxHEIGHT"),
        (["replay", "TRACE", "--out", "OUT", "--size", "512x384"], "256x192"),
        (["replay", "TRACE", "--out", "OUT", "--mode", "both"], "--mode"),
        (["replay", "TRACE", "--out", "OUT", "--steps", "0"], "--steps"),
        (["replay", "TRACE", "--out", "OUT", "--steps", "many"], "--steps"),
        (["replay", "TRACE", "--out", "OUT", "--seed", "-1"], "--seed"),
        (["replay", "TRACE", "--out", "OUT", "--device", "tpu"], "--device"),
        (["replay", "TRACE", "--out", "OUT", "--dtype", "int4"], "--dtype"),
        (["replay", "TRACE", "--out", "OUT", "--style", " "], "--style"),
        (["replay", "TRACE", "--out", "OUT", "--vram-budget", "-4"], "--vram-budget -4 cannot be"),
        (["replay", "TRACE", "--out", "OUT", "--lora", "none.safetensors:0.5"], "none.safetensors"),
        (["replay", "TRACE", "--out", "OUT", "--checkpoint", "nowhere"], "nowhere"),
        (["replay", "TRACE", "--out", "OUT", "--checkpoint", "guide", "--mode", "dream"], "dream"),
        (["replay", "none.jsonl", "--out", "OUT"], "none.jsonl"),
        (["replay", "TRACE", "--out", "TRACE"], "file"),
        (["models", "probe", "x", "--out", "y.html"], "no checkpoint 'x'"),
        (["replay", "TRACE", "--out", "OUT", "--checkpoint", ""], "the path is empty"),
        (["replay", "TRACE", "--out", "OUT", "--checkpoint", "x" * 300], "xxx… cannot be looked at (File name too long)"),
        (["replay", "TRACE", "--out", "OUT", "--lora", "x" * 300], "xxx… cannot be looked at (File name too long)"),
        (["replay", "TRACE", "--out", "OUT", "--lora", "~nosuchuser/x"], "no home folder"),
        (["models", "check", "~nosuchuser/x"], "~nosuchuser/x: there is no home folder"),
        (["models", "check", ""], "the path is empty"),
        (["models", "add", ""], "the path is empty"),
        (["models", "add", "~nosuchuser/x"], "no home folder"),
        (["models", "probe", "", "--out", "y.html"], "the path is empty"),
        (["models", "list", "--vae", "x"], "--vae means nothing to models list; leave it out; models check NAME reckons with it"),
        (["models", "check", "x", "--lora", "y"], "--lora means nothing to models check; leave it out"),
        (["models", "check", "x", "--compile"], "--compile means nothing to models check; leave it out"),
        (["models", "add", "x", "--dtype", "int8"], "--dtype means nothing to models add; leave it out"),
        (["models", "remove", "x", "--device", "cpu"], "--device means nothing to models remove; leave it out"),
        (["train", "--out", "OUT", "--vram-budget", "4"], "--vram-budget means nothing to train; leave it out"),
        (["train", "--out", "OUT", "--checkpoint", "x"], "--checkpoint means nothing to train; leave it out; --init names the weights"),
        (["train", "--out", "OUT", "--init", "~nosuchuser/x"], "no home folder"),
        (["train", "--out", "OUT", "--data", "x" * 300, "--updates", "1"], "cannot be looked at"),
        (["train", "--out", "OUT", "--blocks", "1,2"], "--blocks 1,2 cannot be; give 5 numbers"),
        (["train", "--out", "OUT", "--inner", "24,0,0,16,-1"], "--inner 24,0,0,16,-1 cannot be; give 5 numbers from 0 to 512"),
        (["train", "--out", "OUT", "--blocks", "1,0,0,1,many"], "--blocks '1,0,0,1,many' cannot be; give whole numbers"),
        (["train", "--out", "OUT", "--part", "dreamer", "--blocks", "1,0,0,1,2"], "--blocks is the painter's"),
    ],
)
def test_wrong_input_is_one_message(
    arguments: list[str], said: str, trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = {"TRACE": str(trace), "OUT": str(tmp_path / "out")}
    assert said in refused(capsys, *(there.get(a, a) for a in arguments), "--profile", tmp_path / "profile")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "profile").exists()


def test_an_empty_profile_is_not_the_folder_one_is_in(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for command in (["run"], ["models", "list"], ["doctor"]):
        assert "--profile is empty" in refused(capsys, *command, "--profile", "")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("libraries_at_hand")
def test_a_folder_that_can_be_none_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["models", "list"], ["models", "check", "x"], ["doctor"]):
        assert "no home folder" in refused(capsys, *command, "--profile", "~nosuchuser/x")
    (tmp_path / "settings.toml").write_text('folders = ["~nosuchuser/ComfyUI"]')
    for command in (["models", "list"], ["models", "check", "x"]):
        assert "settings.toml: folders: ~nosuchuser/ComfyUI: there is no home folder" in refused(capsys, *command, "--profile", tmp_path)


def test_what_is_said_wins_over_the_header(trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace.write_text(WAIT.replace('"seed": 7', '"seed": 7, "checkpoint": "nowhere", "style": "dark"'))
    assert "nowhere" in refused(capsys, "replay", trace, "--out", tmp_path / "out")
    said = ["--checkpoint", "guide", "--seed", "9", "--size", "256x192"]
    assert cli.status(["replay", str(trace), "--out", str(tmp_path / "out"), *said]) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (report["seed"], report["checkpoint"]["name"]) == (9, "guide")


def test_words_of_the_style_that_mean_nothing_are_said_once(trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.status(["replay", str(trace), "--out", str(tmp_path / "out"), "--checkpoint", "guide", "--style", "dark zzz qqq"]) == 0
    err = capsys.readouterr().err
    assert err.count("--style: I don't know: zzz, qqq.\n") == 1 and err.count("zzz") == 1
    assert cli.status(["replay", str(trace), "--out", str(tmp_path / "plain"), "--checkpoint", "guide", "--style", "dark"]) == 0
    assert "know" not in capsys.readouterr().err


def test_ctrl_c_ends_cleanly(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ui.playing.play", interrupted)
    assert "stopped" in refused(capsys, "replay", trace, "--out", tmp_path / "out", code=130)


def test_what_nobody_foresaw_is_one_line_and_a_log(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("ui.playing.play", broken)
    monkeypatch.setattr("platformdirs.user_log_path", lambda *a, **k: tmp_path / "logs")
    said = refused(capsys, "replay", trace, "--out", tmp_path / "out", code=1)
    assert "RuntimeError: two lines" in said and str(tmp_path / "logs") in said
    assert "Traceback" in (tmp_path / "logs" / "pixelos.log").read_text()


def readme() -> str:
    return (ROOT / "README.md").read_text("utf-8")


def test_the_two_commands_stand_in_one_block() -> None:
    assert "```\npython3 scripts/run.py\npython3 scripts/test.py\n```" in readme()


def test_the_readmes_app_opens_counts_and_survives(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.desktop.apps.registry import APPS
    from engine.desktop.desktop import Desktop
    from engine.events import Ask, Click, Key

    (source,) = re.findall(r"```python\n(.*?class \w+\(App\).*?)```", readme(), re.DOTALL)
    assert len([line for line in source.splitlines() if line.strip()]) <= 20
    namespace: dict[str, object] = {"__name__": "counter"}
    exec(compile(source, "README.md", "exec"), namespace)
    monkeypatch.setitem(APPS, "Counter", namespace["Counter"])
    desktop = Desktop()
    for event in (Ask(0.0, "counter"), Click(1.0, "Counter/One more"), Key(2.0, "enter"), Key(3.0, "space")):
        desktop.handle(event)
    again = Desktop(state=json.loads(json.dumps(desktop.state())))
    assert [w.text for w in again.widgets if w.path == "Counter/count"] == ["Counted to 3"]


def test_the_readmes_style_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine import style_words, styles

    ((name, row),) = re.findall(r'```python\n +"(\w+)": (Style\(.*\)),\n```', readme())
    monkeypatch.setitem(styles.PRESETS, name, eval(row, {"Style": styles.Style}))
    style, unknown = style_words.from_words(f"make it {name}")
    assert style == styles.PRESETS[name] and unknown == ()


def test_the_readmes_trace_is_one() -> None:
    from engine.trace import parse_trace

    (lines,) = re.findall(r'```\n(\{"pixelos_trace".*?)```', readme(), re.DOTALL)
    assert len(parse_trace(lines.encode()).steps) == 7
