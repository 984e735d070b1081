"""Batches over several GPUs: each job sees one of them, whoever is free takes the next, and all of them end."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from engine.errors import InputError, PixelOSError
from engine.spread import Done, Job, places, spread
from ui import batch
from ui.cli import status
from ui.options import Choice

SEES = "import os, sys, time; time.sleep(float(sys.argv[2])); open(sys.argv[1], 'w').write(os.environ.get('CUDA_VISIBLE_DEVICES', 'unset'))"
TRACE = '{"pixelos_trace": 1, "size": [256, 192], "seed": 7}\n{"t": 0.0, "type": "ask", "text": "notes"}\n'


def job(folder: Path, name: str, seconds: float = 0.0) -> Job:
    """A stand-in for a painter's process: it writes down which GPU it sees."""
    return Job(name, (sys.executable, "-c", SEES, str(folder / name), str(seconds)))


def test_the_places_are_the_gpus_that_may_be_used() -> None:
    assert places(0, None) == [None] and places(3, None) == ["0", "1", "2"]
    assert places(4, "2,3") == ["2", "3"] and places(4, "") == [None] and places(2, "GPU-a, GPU-b") == ["GPU-a", "GPU-b"]


def test_every_job_sees_one_gpu_and_a_slow_one_holds_nothing_up(tmp_path: Path) -> None:
    told: list[Done] = []
    jobs = [job(tmp_path, "slow", 1.5), *(job(tmp_path, f"quick {n}") for n in range(5))]
    done = spread(jobs, ["0", "1"], told.append)
    assert [one.job for one in done] == jobs and {one.code for one in done} == {0}
    seen = {one.job.name: (tmp_path / one.job.name).read_text() for one in done}
    assert all(seen[one.job.name] == one.place for one in done)
    other = {"0": "1", "1": "0"}[seen["slow"]]
    assert [seen[f"quick {n}"] for n in range(5)].count(other) >= 4
    assert told[-1].job.name == "slow" and len(told) == 6


def test_where_there_is_no_gpu_jobs_follow_one_another_and_see_what_there_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    done = spread([job(tmp_path, "a"), job(tmp_path, "b")], [None])
    assert [(tmp_path / one.job.name).read_text() for one in done] == ["unset", "unset"]


def test_one_that_fails_keeps_none_from_being_done(tmp_path: Path) -> None:
    bad = Job("bad", (sys.executable, "-c", "import sys; print('first'); sys.exit('it broke')"))
    done = spread([bad, job(tmp_path, "good")], [None])
    assert (done[0].code, done[0].said) == (1, "it broke") and done[1].code == 0


def test_one_that_cannot_be_started_says_so(tmp_path: Path) -> None:
    done = spread([Job("bad", (str(tmp_path / "no such program"),)), job(tmp_path, "good")], [None])
    assert done[0].code != 0 and "no such program" in done[0].said and done[1].code == 0


def test_a_choice_becomes_the_arguments_it_was_made_of() -> None:
    choice = Choice(checkpoint="guide", lora=["a:1", "b"], steps=3, vram_budget=1.5)
    assert batch.said(choice) == ["--checkpoint", "guide", "--lora", "a:1", "--lora", "b", "--steps", "3", "--vram-budget", "1.5"]


def test_several_traces_are_played_each_into_its_folder_as_one_alone_would_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "available", lambda choice: ["0", "1"])
    for name, text in (("a", "hello"), ("b", "there")):
        (tmp_path / f"{name}.jsonl").write_text(TRACE + json.dumps({"t": 0.5, "type": "text", "text": text}) + "\n")
    common = ["--checkpoint", "guide", "--frames", "last"]
    assert status(["replay", str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl"), "--out", str(tmp_path / "both"), *common]) == 0
    assert status(["replay", str(tmp_path / "b.jsonl"), "--out", str(tmp_path / "alone"), *common]) == 0
    reports = [json.loads((tmp_path / where / "report.json").read_text()) for where in ("both/a", "both/b", "alone")]
    hashes = [report["final_frame_sha256"] for report in reports]
    assert hashes[1] == hashes[2] != hashes[0]


def test_a_batch_that_cannot_be_is_refused_before_anything_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other").mkdir()
    for path in (tmp_path / "a.jsonl", tmp_path / "other" / "a.jsonl"):
        path.write_text(TRACE)
    (tmp_path / "broken.jsonl").write_text("{")
    out = ["--out", str(tmp_path / "out"), "--checkpoint", "guide"]
    assert status(["replay", str(tmp_path / "a.jsonl"), str(tmp_path / "other" / "a.jsonl"), *out]) == 2
    assert "given twice" in capsys.readouterr().err
    assert status(["replay", str(tmp_path / "a.jsonl"), str(tmp_path / "broken.jsonl"), *out]) == 2
    assert status(["bench", "--preset", "bundled", "--preset", "nothing", "--random-weights", "--out", str(tmp_path / "out")]) == 2
    assert "no preset" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_failed_in_a_batch_is_told_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(jobs: list[Job], over: object, tell: object) -> list[Done]:
        return [Done(jobs[0], "0", 0, ""), Done(jobs[1], "1", 2, "pixelos: there is no checkpoint 'x'")]

    monkeypatch.setattr(batch, "spread", failing)
    with pytest.raises(InputError, match="b: there is no checkpoint"):
        batch.batch("replay", {"a": (), "b": ()}, Choice(), ["0", "1"])
    monkeypatch.setattr(batch, "spread", lambda jobs, over, tell: [Done(one, None, 1, "") for one in jobs])
    with pytest.raises(PixelOSError, match="a: ended with 1"):
        batch.batch("replay", {"a": ()}, Choice(), [None])
