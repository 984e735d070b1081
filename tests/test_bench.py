"""The benchmark: what it writes fits its own form, what is compared can be believed, and noise is said, not averaged."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from time import perf_counter, sleep
from types import SimpleNamespace
from typing import Any

import pytest
from matplotlib.patches import Rectangle

from benchmarks import cost, latency
from benchmarks.cost import Cost, Timed, calmed, costs, line_through
from benchmarks.latency import Span, told, wanders
from benchmarks.latency_compare import compared
from benchmarks.latency_plots import bars, hatched, histograms
from benchmarks.result_forms import SCHEMA, Bench, Technique, read_bench
from benchmarks.scenarios import SCENARIOS, Unmeasured
from benchmarks.side_by_side import OURS, STOCK
from engine.desktop.desktop import Desktop
from engine.errors import InputError
from engine.events import Style, Text
from engine.geometry import Rect
from engine.mailbox import DirectMailbox
from engine.painter import GuidePainter, PainterSpec
from engine.session import Session
from tests import painters_for_tests
from ui import cli

RESULTS = SCHEMA.parent


def result(device: str = "cpu", factor: float = 1.0, **other: Any) -> dict[str, Any]:
    """A result, as `bench` would write it."""
    times = [factor * t for t in (9.0, 10.0, 11.0, 30.0)]
    scenario = {"p50": 10.5 * factor, "p95": 27.0 * factor, "p99": 29.0 * factor, "max": 30.0 * factor, "painted": 4, "cached": 1,
                "skipped": 0, "guide": 0, "dirty_share": 0.01, "wanders": 0.0, "stages": {"denoise": 8.0, "check": 1.0}, "times": times}  # fmt: skip
    return {
        "pixelos_bench": 2, "title": f"bundled on {device} in float32", "random_weights": False, "mode": "guided", "size": [512, 384],
        "steps": 1, "seed": 0, "quick": False, "cold_start_s": 3.0, "peak_rss_mb": 800, "disturbed": [],
        "machine": {"system": "Linux", "cpu": "A CPU", "cores": 2, "torch": "2.13", "gpus": []},
        "checkpoint": {"name": "bundled", "family": "bundled", "sha256": "ab" * 32, "device": device, "dtype": "float32"},
        "scenarios": {"typing": scenario, "full": copy.deepcopy(scenario)},
        "cost": {"by_damage": [[0.02, 9.0 * factor], [1.0, 90.0 * factor]], "by_size": [[256, 192, 30.0], [512, 384, 90.0]]},
        "side_by_side": [{"name": STOCK, "ms": 90.0, "p95": 95.0, "gain": 1.0}, {"name": OURS, "ms": 9.0, "p95": 20.0, "gain": 8.0}],
        **other,
    }  # fmt: skip


def written(folder: Path, name: str, found: Any) -> Path:
    path = folder / name
    path.write_text(json.dumps(found))
    return path


def test_the_page_opens_offline_and_says_what_was_measured(tmp_path: Path) -> None:
    random = result("NVIDIA H200", 0.1, random_weights=True, title="sd-turbo on NVIDIA H200, RANDOM WEIGHTS: its latency is real")
    page, text = compared([written(tmp_path, "a.json", result()), written(tmp_path, "b.json", random)])
    assert b"RANDOM WEIGHTS" in page and b"RANDOM WEIGHTS" in text
    for outside in (b"http:", b"https:", b"<script", b"<link", b"@import"):
        assert outside not in page
    assert page.count(b"data:image/png") == 5
    assert "| typing | 10.5 / 27.0 (4) | **1.1 / 2.7 (4)** |" in text.decode()
    assert "8.0x" in text.decode()


def test_the_title_of_a_page_of_several_files_says_which_weights_are_random(tmp_path: Path) -> None:
    random = result("NVIDIA H200", 0.1, random_weights=True)
    random["checkpoint"]["name"] = "random:sd-turbo"
    page, text = compared([written(tmp_path, "a.json", result()), written(tmp_path, "b.json", random)])
    assert b"<h1>Frame latency, RANDOM WEIGHTS: sd-turbo</h1>" in page
    assert text.decode().splitlines()[0] == "# Frame latency, RANDOM WEIGHTS: sd-turbo"
    page, _ = compared([written(tmp_path, name, result()) for name in ("a.json", "b.json")])
    assert b"<h1>Frame latency</h1>" in page


def test_the_page_says_what_was_measured_under_what(tmp_path: Path) -> None:
    machine = {**result()["machine"], "gpus": [{"name": "NVIDIA H200", "driver": "580.1", "vram_gb": 139.0}]}
    seen = {"background_cores": 0.12, "cpu_mhz": [1800, 3000], "gpu_clock_mhz": [345, 1980], "gpu_temperature_c": 57, "gpu_held_back": False}
    gpu = result("NVIDIA H200", machine=machine, conditions=seen, left_out=["full", "cost"], compile_s=76.0, ready_s=3.5, first_frame_s=0.4, energy_j=2600.5)
    before = result(conditions={"background_cores": 0.0, "cpu_mhz": 2596})  # as it was once written
    _, text = compared([written(tmp_path, "a.json", gpu), written(tmp_path, "b.json", before)])
    for row in ("compiling, s | 76 | –", "getting ready, s | 3.5 | –", "first frame once it was open, s | 0.4 | –", "GPU clock, MHz | 345 to 1980 | –", "GPU, °C at most | 57 | –",
                "driver | 580.1 | –", "CPU clock, MHz | 1800 to 3000 | 2,596", "other programs, cores | 0.12 | 0", "GPU, energy, J | 2,600 | –", "left out by --quick | full, cost | –"):  # fmt: skip
        assert f"| {row} |" in text.decode(), row


def test_what_lies_within_the_spread_of_the_rounds_is_no_difference(tmp_path: Path) -> None:
    ours, near, far = (Technique(name=name, ms=1, p95=2, gain=gain, spread=spread) for name, gain, spread in
                       (("ours", 12.0, [11.0, 12.5]), ("ours without batches", 12.4, [12.4, 13.0]), ("ours without crops", 3.0, [2.8, 3.2])))  # fmt: skip
    assert (ours.beside(ours), near.beside(ours), far.beside(ours), far.beside(None)) == ("", "no difference", "0.25x", "")
    assert Technique(name="ours without batches", ms=1, p95=2, gain=12.4).beside(ours) == "", "it is not known how far its rounds lay apart"
    ways = [way.model_dump() for way in (ours, near, far)]
    _, text = compared([written(tmp_path, "a.json", result(side_by_side=ways, played={"rounds": 3, "in_turns": True, "disturbed": ["the GPU held its clock back"]}))])
    assert "| ours without batches | 1.0 (12.4x, 12.4 to 13.0; no difference) |" in text.decode()
    assert "| ours without crops | 1.0 (3.0x, 2.8 to 3.2) |" in text.decode()
    assert "3 rounds after one unseen, in turns with the stock call" in text.decode() and "the trace: the GPU held its clock back" in text.decode()


def test_what_is_too_noisy_is_drawn_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = result()
    noisy["scenarios"]["typing"]["wanders"] = 0.4
    marked, drawn = list[list[bool]](), list[str]()
    monkeypatch.setattr("benchmarks.latency_plots.hatched", lambda patches, which: marked.append(list(which)))
    monkeypatch.setattr("matplotlib.axes.Axes.hist", lambda axes, times, **how: drawn.append(how["label"]))
    bars(["a"], [Bench.model_validate(noisy)])
    assert marked == [[True, False]]
    assert histograms(["a"], [Bench.model_validate(noisy)]) and drawn == ["a"], "of the whole frame alone"
    patches = [Rectangle((0, 0), 1, 1) for _ in range(2)]
    hatched(patches, [True, False])
    assert [patch.get_hatch() for patch in patches] == ["////", None]


def test_noise_is_said_instead_of_a_number(tmp_path: Path) -> None:
    noisy = result(disturbed=["other programs took 1.3 of 2 cores"])
    noisy["scenarios"]["typing"]["wanders"] = 0.4
    page, text = compared([written(tmp_path, "a.json", noisy)])
    assert "too noisy (halves 40% apart)" in text.decode() and "10.5 / 27.0" not in text.decode().split("| full")[0]
    assert b"other programs took 1.3 of 2 cores" in page
    assert told("typing", noisy["scenarios"]["typing"]) == "typing: too noisy to tell (its halves differ by 40%)"


def test_results_of_two_runs_on_one_machine_are_told_apart(tmp_path: Path) -> None:
    _, text = compared([written(tmp_path, "before.json", result()), written(tmp_path, "after.json", result())])
    assert "before: A CPU" in text.decode() and "after: A CPU" in text.decode()


@pytest.mark.parametrize(
    ("change", "where"),
    [({"pixelos_bench": 1}, "pixelos_bench"), ({"scenarios": {}}, "scenarios"), ({"machine": {"cpu": 3}}, "machine"),
     ({"size": [512]}, "size"), ({"cold_start_s": "fast"}, "cold_start_s"), ({"steps": None}, "steps")],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_place(change: dict[str, Any], where: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"no result of pixelos bench: {where}"):
        read_bench(written(tmp_path, "x.json", result(**change)))


@pytest.mark.parametrize("content", ["", "[]", "{", '{"pixelos_bench": 2}', '{"mode": "guided", "text": {}}'])
def test_another_file_is_no_result(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    assert cli.status(["bench", "compare", str(path), "--out", str(tmp_path / "y.html")]) == 2
    assert "is no result of pixelos bench" in capsys.readouterr().err
    assert not (tmp_path / "y.html").exists()


def test_a_time_that_is_no_number_is_refused(tmp_path: Path) -> None:
    odd = result()
    odd["scenarios"]["typing"]["p50"] = float("nan")
    with pytest.raises(InputError, match="no result"):
        read_bench(written(tmp_path, "x.json", odd))


def test_the_schema_is_the_one_of_the_code() -> None:
    assert json.loads(SCHEMA.read_text()) == Bench.model_json_schema()


@pytest.mark.parametrize("path", [p for p in sorted(RESULTS.glob("*.json")) if "pixelos_bench" in p.read_text()[:100]], ids=lambda p: p.name)
def test_what_was_contributed_fits(path: Path) -> None:
    assert read_bench(path).scenarios.keys() >= {"idle", "caret", "typing", "hover", "drag", "scroll", "open", "style", "full"}


def test_halves_that_differ_are_noticed() -> None:
    assert wanders([10.0, 11.0] * 20) == 0
    assert wanders([10.0] * 20 + [15.0] * 20) == 0.5
    assert wanders([10.0] * 5 + [15.0] * 5) == 0


def played(seen: list[str], source: str, damage: tuple[Rect, ...] = (Rect(0, 0, 8, 8),)) -> Any:
    """A session that answers each event from there, the second half of them later."""
    frame = SimpleNamespace(source=source, damage=damage, ms={})

    def step(events: Any, t: float) -> Any:
        seen.append(source)
        sleep(0.001 if len(seen) < 20 else 0.004)
        return frame

    return SimpleNamespace(step=step, settle=lambda timeout: frame)


@pytest.mark.parametrize("source", ["painted", "cached"])
def test_a_scenario_that_was_looked_up_is_judged_too(source: str) -> None:
    desktop = Desktop((256, 192))
    found = latency._measure(played([], source), desktop, lambda desktop, count: iter([None] * count), 0, Span(40, 40))
    assert found is not None and found[source] == 40 and found["wanders"] > 0.5


def test_the_slowest_percent_is_told_once_enough_was_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "LOWS", 30)
    steps = lambda desktop, count: iter([None] * count)  # noqa: E731
    for span, painted in ((Span(1000, 10), 30), (Span(20, 20), 20), (Span(1000, 10, until=0.0), 10)):
        found = latency._measure(played([], "painted"), Desktop((256, 192)), steps, 0, span)
        assert found is not None and found["painted"] == painted
        assert ("low_1_percent_fps" in found) is (painted >= 30)


def test_a_drag_that_is_cut_short_holds_nothing_any_longer() -> None:
    """What comes after it would move the window."""
    desktop = Desktop((256, 192))
    session = Session(desktop, DirectMailbox(GuidePainter(painters_for_tests.SPEC)))
    found = latency._measure(session, desktop, SCENARIOS["drag"][0], 1, Span(20, 3, until=0.0))
    assert found is not None and len(found["times"]) == 3 and not desktop.router.buttons
    session.close()


def test_no_look_comes_twice_and_no_note_begins_as_another() -> None:
    def shown(name: str, count: int) -> list[Any]:
        desktop, events = Desktop((256, 192)), []
        for step in SCENARIOS[name][0](desktop, count):
            events.append(step.event if isinstance(step, Unmeasured) else step)
            desktop.handle(events[-1])
        return events

    looks = [event.text for name in ("open", "style") for event in shown(name, SCENARIOS[name][1] + 3) if isinstance(event, Style)]
    assert len(looks) > 40 and len(set(looks)) == len(looks)
    letters = "".join(event.text for event in shown("typing", 401) if isinstance(event, Text))
    assert len({letters[i : i + 20] for i in (0, 200, 400 - 19)}) == 3 and letters[0] != letters[200]


def test_a_quick_look_ends_in_time_however_slow_the_painter_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of a second a paint: typing alone would take ten seconds."""
    monkeypatch.setattr(latency, "open_carefully", painters_for_tests.sluggish)
    monkeypatch.setattr(latency, "QUICK_S", 0.0)
    monkeypatch.setattr(latency, "SPARED_S", 8.0)
    monkeypatch.setattr(cost, "costs", lambda *given: pytest.fail("there was no time for it"))
    lines: list[str] = []
    begun = perf_counter()
    found = latency.bench(painters_for_tests.SPEC, quick=True, say=lines.append, only=("typing", "hover", "full"))
    assert Bench.model_validate(found).left_out == ["hover", "full", "cost"] == found["left_out"]
    assert list(found["scenarios"]) == ["typing"] and 3 <= found["scenarios"]["typing"]["painted"] < 33
    assert found["scenarios"]["typing"]["p50"] > 200
    assert any("left out" in line and "hover" in line for line in lines)
    assert perf_counter() - begun < found["cold_start_s"] + 20


def test_a_cost_that_jumps_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    told = iter([Cost(10.0, 0.1), Cost(3555.0, 0.1), Cost(30.0, 0.1), Cost(40.0, 0.1), Cost(20.0, 0.1)])
    asked: list[int] = []
    assert [cost.ms for cost in calmed(lambda i: asked.append(i) or next(told), 4)] == [10.0, 20.0, 30.0, 40.0]
    assert asked == [0, 1, 2, 3, 1]
    timed, tries = Timed(PainterSpec("guide", size=(64, 64))), iter([Cost(9.0, 0.6), Cost(8.0, 0.3), Cost(7.0, 0.4)])
    monkeypatch.setattr(timed, "_cost", lambda damage: next(tries))
    assert timed.cost(Rect(0, 0, 8, 8)) == Cost(8.0, 0.3)
    monkeypatch.setattr(Timed, "_cost", lambda self, damage: Cost(8.0, 0.6))
    found = costs(PainterSpec("guide", size=(64, 64)), quick=True, say=lambda line: None)
    assert "paints of 100.0% of the frame lay 60% apart" in found["disturbed"] and set(found["damage_spread"]) == {0.6}


def test_whether_cost_is_a_line_in_the_damage_is_judged_above_the_smallest_crop() -> None:
    line = line_through([[0.01, 9.0], [0.02, 9.0], [0.2, 20.0], [0.5, 50.0], [1.0, 100.0]], [0.05, 0.05, 0.3, 0.6, 1.0])
    assert line is not None and line.straight and line.off < 1e-6
    assert abs(line.base) < 1e-6 and abs(line.slope - 100) < 1e-6
    bent = line_through([[0.01, 9.0], [0.2, 20.0], [0.5, 90.0], [1.0, 100.0]])
    assert bent is not None and not bent.straight and "NO LINE" in str(bent)
    assert line_through([[0.01, 9.0], [0.5, 50.0], [1.0, 100.0]]) is None, "two points are always on a line"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [(["--preset", "sd-turbo"], "go together"), (["--random-weights"], "go together"),
     (["--preset", "flux9", "--random-weights"], "flux2-klein-4b"),
     (["--preset", "sd-turbo", "--random-weights", "--checkpoint", "bundled"], "both say what paints")],
)  # fmt: skip
def test_misuse_is_answered_in_one_message(
    arguments: list[str], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.status(["bench", "--out", str(tmp_path / "x.json"), *arguments]) == 2
    assert why in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
