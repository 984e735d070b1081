"""What `pixelos eval` leaves: scores with the names of the contract, a page that needs nothing else, comparisons."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks.quality import Evaluation, Extent, extent, score_painter
from benchmarks.quality_report import quality_page
from engine.painter import GuidePainter, PainterSpec
from engine.styles import PRESETS
from ui import cli, measuring

TINY = Extent(1, 40, 1, 1, 3, 0, 0, 1, 0, 0, 3, ("terminal",))
NAMES = {"mode", "checkpoint", "text", "transitions", "untouched", "drift", "style", "pictures", "persistency", "seconds"}


def quiet(line: str) -> None:
    """Nobody is told."""


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    from tests.conftest import need

    need("tesseract", "tesseract-ocr")
    spec = PainterSpec(checkpoint="guide")
    return score_painter(GuidePainter(spec), spec, TINY, True, quiet)


def test_the_scores_have_their_names(evaluation: Evaluation) -> None:
    scores = evaluation.scores
    assert set(scores) >= NAMES
    text, moves = scores["text"], scores["transitions"]
    assert set(text) == {"cer", "cer_guide", "cer_unrepaired", "characters", "by_style"}
    assert text["cer"] == text["cer_guide"] == text["cer_unrepaired"] < 0.1
    assert set(text["by_style"]) == set(scores["style"]) == {"terminal"}
    assert moves["accuracy"] == 1 and moves["kinds"] == len(moves["by_kind"]) == moves["events"] >= 4
    assert scores["contrast"]["least"] == scores["contrast"]["by_style"]["terminal"]["least"] > 4  # in the plain theme an idle entry of a menu has 4.31
    assert scores["untouched"]["pixels"] == 0 and scores["drift"]["steps"][-1] >= 3
    assert json.loads(json.dumps(scores)) == scores


def test_the_page_needs_nothing_else_and_shows_the_worst_first(evaluation: Evaluation) -> None:
    page = quality_page(evaluation).decode()
    assert len(page) < 3_000_000
    assert not re.search(r"https?://|<link|<script|src=\"(?!data:)", page)
    assert page.index("Worst cases") < page.index("Figures") < page.index("By style") < page.index("By kind")
    assert page.count("data:image/webp") == 4 * len(evaluation.worst) > 0
    assert page.count("data:image/png") == 2
    assert all(words in page for words in ("before", "source after", "painted", "difference", "terminal"))


def test_wrong_ones_stand_before_right_ones(evaluation: Evaluation) -> None:
    from benchmarks import quality
    from benchmarks.transitions import Judged

    first = evaluation.worst[0]
    made = [
        Judged(f"kind {i}", "light", right, own, 4.0, 1, first.before, first.after, first.painted, first.where)
        for i, (right, own) in enumerate([(True, 3.0), (False, 5.0), (True, 0.5), (False, 9.0)])
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quality, "judged", lambda *given: iter(made))
        patch.setattr(quality, "SHEET", 3)
        spec = PainterSpec(checkpoint="guide")
        scores, worst = quality.transition_scores(GuidePainter(spec), spec, TINY, quiet)
    assert [outcome.kind for outcome in worst] == ["kind 3", "kind 1", "kind 0"]
    assert (scores["accuracy"], scores["wrong"]) == (0.5, ["kind 1", "kind 3"])


def test_all_of_it_is_enough() -> None:
    for mode in ("guided", "dream"):
        whole, quick = extent(False, mode, None), extent(True, mode, None)
        assert whole.stride == 1 and whole.variants == (4 if mode == "guided" else 1) and whole.styles == tuple(PRESETS)
        assert whole.pages * 900 >= 5_000 and whole.typed == 200
        assert (whole.dream_seconds, whole.persist_seconds) == (60, 30)
        assert quick.stride > 1 and set(quick.styles) < set(PRESETS)
    assert extent(False, "guided", 10_000).drift_frames == 10_000
    assert len(set(extent(False, "dream", None).some(4, 7))) == 4


def written(folder: Path, evaluation: Evaluation) -> tuple[Path, Path]:
    """Two evaluations on disk, the second worse."""
    better, worse = folder / "better.json", folder / "worse.json"
    better.write_text(json.dumps(evaluation.scores))
    scores = json.loads(better.read_text())
    scores["transitions"]["accuracy"] = 0.25
    next(iter(scores["transitions"]["by_kind"].values()))["right"] = 0
    worse.write_text(json.dumps(scores))
    return better, worse


def test_two_evaluations_in_one_table(
    evaluation: Evaluation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    better, worse = written(tmp_path, evaluation)
    out = tmp_path / "both.html"
    assert cli.status(["eval", "compare", str(better), str(worse), "--out", str(out)]) == 0
    assert str(out) in capsys.readouterr().out
    text, page = (tmp_path / "both.md").read_text(), out.read_text()
    assert "| Transitions right | **100.0%** | 25.0% |" in text
    kind = next(iter(evaluation.scores["transitions"]["by_kind"]))
    assert f"| {kind} | 1 of 1 | 0 of 1 |" in text
    assert "<b>100.0%</b>" in page and "better: guide" in page and not re.search(r"https?://|<script", page)


def test_what_cannot_be_compared(evaluation: Evaluation, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    better, _ = written(tmp_path, evaluation)
    broken, other = tmp_path / "broken.json", tmp_path / "other.json"
    broken.write_text("{")
    for i, wrong in enumerate(({}, [], {**evaluation.scores, "text": 3}, {**evaluation.scores, "style": {"light": 1}})):
        other.write_text(json.dumps(wrong))
        assert cli.status(["eval", "compare", str(better), str(other), "--out", str(tmp_path / "x.html")]) == 2, i
        assert "other.json is no evaluation" in capsys.readouterr().err
    for given, said in (
        ([better], "two or more"), ([better, tmp_path / "none.json"], "none.json cannot be read"),
        ([better, broken], "broken.json is not JSON"),
    ):  # fmt: skip
        assert cli.status(["eval", "compare", *map(str, given), "--out", str(tmp_path / "x.html")]) == 2
        err = capsys.readouterr().err
        assert said in err and err.count("\n") == 1
    assert not (tmp_path / "x.html").exists()


def test_eval_writes_scores_and_page(
    evaluation: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []

    def evaluated(spec: PainterSpec, quick: bool, say: object, drift_frames: int | None) -> Evaluation:
        asked.extend((spec.seed, spec.mode, quick, drift_frames))
        return evaluation

    monkeypatch.setattr("benchmarks.quality.evaluated", evaluated)
    out = tmp_path / "scores.json"
    said = ["--quick", "--seed", "9", "--checkpoint", "guide", "--drift-frames", "20"]
    assert cli.status(["eval", "--out", str(out), *said]) == 0
    assert asked == [9, "guided", True, 20]
    assert json.loads(out.read_text()) == evaluation.scores
    assert (tmp_path / "scores.html").read_bytes() == quality_page(evaluation)
    assert "scores.html" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--out FILE.json is missing"),
        (["--out", "DIR"], "is a folder"),
        (["--out", "DIR/none/x.json"], "no folder"),
        (["--out", "DIR/x.html"], ".json"),
        (["--out", "DIR/x.json", "--drift-frames", "0"], "--drift-frames 0"),
        (["--out", "DIR/x.json", "--drift-frames", "9", "--mode", "dream"], "--drift-frames"),
        (["--out", "DIR/x.json", "--checkpoint", "nowhere"], "nowhere"),
        (["--out", "DIR/x.json", "--checkpoint", "guide", "--mode", "dream"], "dream"),
        (["compare"], "A.json"),
        (["compare", "a.json", "b.json"], "--out PAGE.html is missing"),
        (["compare", "a.json", "b.json", "--out", "DIR/x.md"], ".html"),
    ],
)
def test_wrong_input_is_one_message(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.status(["eval", *(a.replace("DIR", str(tmp_path)) for a in arguments)]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1 and "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_the_second_file_is_never_the_first() -> None:
    assert measuring.beside(Path("a/b.json"), ".html") == Path("a/b.html")
