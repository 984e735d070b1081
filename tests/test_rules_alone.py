"""What a dream is without its dreamer: rules carry it on, what no rule answers stays as it was, and a score says that it was so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.easel import Easel
from benchmarks.quality import Evaluation, evaluated, score_painter
from benchmarks.quality_figures import conditions
from engine.desktop.desktop import Desktop
from engine.errors import InputError
from engine.events import Ask, Down, Event, Key, Move, Text
from engine.painter import DREAMER, GuidePainter, PainterSpec
from engine.scene import find
from models.catalog import open_painter
from models.dreaming.dreamer import Dreamer
from tests.test_quality_report import TINY
from ui import cli

SIZE = (512, 384)
DREAM = PainterSpec(mode="dream", size=SIZE, device="cpu", threads=1)


def played(spec: PainterSpec) -> list[int]:
    """Pixels that a dream shows otherwise after a press in Paint, a key for Snake, and a letter in Notes, inside of what these hold."""
    painter, counts = open_painter(spec), list[int]()
    acts: dict[str, Event] = {"Paint/picture": Down(0.6, "left", 0, 0), "Snake/field": Key(0.9, "up"), "Notes/text": Text(0.6, "W")}
    for part, act in acts.items():
        desktop = Desktop(SIZE)
        desktop.handle(Ask(0.1, part.partition("/")[0]))
        painter.restore(None)
        easel, place = Easel(painter, desktop), find(desktop.widgets, part).rect
        easel.paint()
        x, y = place.x + place.w // 2, place.y + place.h // 2
        easel.feed(Move(0.4, x, y))
        before = easel.frame.copy()
        easel.feed(replace(act, x=x, y=y) if isinstance(act, Down) else act)
        counts.append(int((before != easel.frame).any(2)[place.slices].sum()))
    painter.close()
    return counts


def test_the_dreamer_is_never_asked_and_what_no_rule_answers_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(played(DREAM)), "with it, all three are answered"

    def asked(*given: object) -> None:
        raise AssertionError("the dreamer was asked")

    for name in ("forward", "choose", "pens", "tokens"):
        monkeypatch.setattr(Dreamer, name, asked)
    press, game, letter = played(replace(DREAM, without=(DREAMER,)))
    assert game == 0
    assert press and letter, "a picture and a text that are told go on by rule"


def test_a_score_says_what_was_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ocr: object) -> None:
    asked: list[PainterSpec] = []

    def scored(spec: PainterSpec, quick: bool, say: object, drift_frames: int | None) -> Evaluation:
        asked.append(spec)
        return score_painter(GuidePainter(spec), replace(spec, mode="guided"), TINY, quick, print)

    monkeypatch.setattr("benchmarks.quality.evaluated", scored)
    out = tmp_path / "rules.json"
    assert cli.status(["eval", "--mode", "dream", "--without", DREAMER, "--out", str(out)]) == 0
    scores = json.loads(out.read_text())
    assert asked[0].without == (DREAMER,) and scores["without"] == [DREAMER]
    assert conditions(scores).endswith(f", without {DREAMER}") and conditions(scores) in out.with_suffix(".html").read_text()
    for older in ({**scores, "without": []}, {key: value for key, value in scores.items() if key != "without"}):
        assert DREAMER not in conditions(older)


@pytest.mark.parametrize(("arguments", "said"), [(["--without", DREAMER], "--mode dream"), (["--mode", "dream", "--without", "crops"], "crops")])
def test_nothing_else_is_left_out(arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.status(["eval", "--out", str(tmp_path / "x.json"), *arguments]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1 and list(tmp_path.iterdir()) == []


def test_where_there_is_no_dreamer_none_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.quality.open_painter", GuidePainter)
    with pytest.raises(InputError, match="guide has no dreamer"):
        evaluated(replace(DREAM, without=(DREAMER,)))
