"""`models probe`: one page and one JSON about a checkpoint; what fails is said there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copy
from typing import Any

import diffusers
import pytest

import benchmarks.checkpoint_probe as probing
from benchmarks import latency
from benchmarks.checkpoint_probe import Probe, probe
from benchmarks.probe_report import probe_page
from benchmarks.probe_result import PARTS, SCHEMA, ProbeResult, main, read_result
from engine.errors import InputError
from engine.painter import PainterSpec
from engine.trace import Trace, read_trace
from models.catalog import open_painter
from models.prompted import stock_loading
from tests.hostile import BASES, tensors
from tests.loose_parts import tiny_coder, written
from tests.test_families import opened
from tests.test_lone_controlnets import control_of, spelled
from tests.test_loras import given
from tests.test_single_files import file_of, folder_of, home, layouts  # noqa: F401 - two are fixtures
from tests.tiny_families import tiny_folder
from tests.tiny_loras import WORDS, as_kohya, scaled, tiny_lora
from ui.cli import status
from ui.playing import DEMO

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"
SIZE = (256, 192)


@pytest.fixture(scope="module")
def trace() -> Trace:
    found = read_trace(DEMO)
    return replace(found, header=replace(found.header, size=SIZE), steps=found.steps[:3])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("probe") / "tiny-sd", "sd-turbo")


def spec(folder: Path) -> PainterSpec:
    return PainterSpec(str(folder), size=SIZE, seed=7, device="cpu", threads=1)


@pytest.fixture(scope="module")
def found(folder: Path, trace: Trace) -> tuple[ProbeResult, Probe]:
    work = Probe(spec(folder), trace, lambda line: None, only=("open",))
    with pytest.MonkeyPatch.context() as here:
        here.setattr(probing, "apart", lambda look, *given: look(*given))  # a process more takes seconds
        here.setattr(latency, "QUICK_S", 600.0)  # which a painter's start alone may take on a busy machine
        return probe(work), work


def test_every_part_is_looked_at(found: tuple[ProbeResult, Probe]) -> None:
    result = found[0]
    assert [*result.parts] == [*PARTS] and {part.state for part in result.parts.values()} == {"done"}, result.parts
    equality, untouched = result.parts["equality"].figures, result.parts["untouched"].figures
    assert equality["stock"] == "StableDiffusionImg2ImgPipeline" and equality["equal"] and 0 <= equality["largest"] <= 1e-4
    assert equality["loaded_by"] == "the library"
    assert untouched["pixels_outside"] == 0 and untouched["pixels_inside"] > 1000
    text, demo, latency = (result.parts[name].figures for name in ("legibility", "demo", "latency"))
    assert text["cer_guide"] < 0.2 and text["cer"] < text["cer_unrepaired"] and text["characters"] > 50
    assert demo["played"] == demo["steps"] == 3 and demo["repaired_glyphs"] > 0
    assert [*latency["scenarios"]] == ["open"] and latency["scenarios"]["open"]["p50"] > 0
    assert result.checkpoint.family == "sd-turbo" and len(result.checkpoint.sha256) == 64 and result.checkpoint.steps == 1


def looked_at(path: Path, trace: Trace, change: Callable[[Any], object] = lambda painter: None, **settings: Any) -> dict[str, Any]:
    """What the probe finds of equality once `change` has had the painter."""
    work = Probe(replace(spec(path), **settings), trace, lambda line: None)
    work.painter = open_painter(work.spec)
    change(work.painter)
    return probing.LOOKS["equality"](work)


def test_what_our_loading_made_otherwise_is_seen(folder: Path, trace: Trace) -> None:
    def slower(painter: Any) -> None:
        painter.pipeline.scheduler.register_to_config(beta_end=0.02)
        painter.pipeline.scheduler = type(painter.pipeline.scheduler).from_config(painter.pipeline.scheduler.config)
        painter.__init__(replace(opened(folder), pipeline=painter.pipeline), painter._spec)

    found = looked_at(folder, trace, slower)
    assert found["loaded_by"] == "the library" and not found["equal"]
    half = tiny_folder(folder.parent / "half", "sd1")
    for path in half.rglob("*.safetensors"):
        path.rename(path.with_name(path.name.replace(".safetensors", ".fp16.safetensors")))
    assert looked_at(half, trace)["loaded_by"] == "the library"


@pytest.mark.parametrize("family", ["sd1", "sd2", "pix2pix"])  # XL's encoders the library tells apart by width, and tiny ones are alike
def test_a_file_is_loaded_by_the_library_too(home: Path, trace: Trace, family: str) -> None:  # noqa: F811
    found = looked_at(file_of(home, family), trace)
    assert found["loaded_by"] == "the library" and found["equal"], found


@pytest.mark.parametrize("sampler", ["own", "lcm", "hyper"])
def test_a_sampler_that_was_asked_for_takes_the_librarys_settings(home: Path, trace: Trace, sampler: str) -> None:  # noqa: F811
    found = looked_at(folder_of(home, "sd1"), trace, sampler=sampler, steps=2)
    assert found["loaded_by"] == "the library" and found["equal"], found


@pytest.mark.parametrize("kind", ["folder", "diffusers", "trained"])
def test_a_controlnet_that_lies_alone_is_loaded_by_the_library_too(home: Path, trace: Trace, tmp_path: Path, kind: str) -> None:  # noqa: F811
    network, place = control_of(folder_of(home, "sd1")), tmp_path / "canny"
    if kind == "folder":
        network.save_pretrained(place, variant="fp16")
    else:
        place = written(tmp_path / "canny.safetensors", spelled(network, kind))
    found = looked_at(file_of(home, "sd1"), trace, controlnet=str(place), steps=2)
    assert found["loaded_by"] == "the library" and found["equal"], found
    otherwise = looked_at(folder_of(home, "sd1"), trace, lambda painter: painter.pipeline.controlnet.conv_in.weight.data.mul_(2), controlnet=str(place), steps=2)
    assert otherwise["loaded_by"] == "the library" and not otherwise["equal"]


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_loras_are_loaded_by_the_library_too(home: Path, trace: Trace, tmp_path: Path, family: str) -> None:  # noqa: F811
    place = folder_of(home, family)
    first = as_kohya(tiny_lora(opened(place).pipeline, words=WORDS), 2).write(tmp_path / "lcm.safetensors")
    second = tiny_lora(opened(place).pipeline, 1, ranks=(4, 8)).write(tmp_path / "hat.safetensors")
    found = looked_at(place, trace, loras=given((first, 0.7), (second, -0.3)))
    assert found["loaded_by"] == "the library" and found["equal"], found
    otherwise = looked_at(place, trace, lambda painter: painter.pipeline.set_adapters(["lora_0"], [0.7]), loras=given((first, 0.7), (second, -0.3)))
    assert otherwise["loaded_by"] == "the library" and not otherwise["equal"]


def test_where_the_library_cannot_load_it_is_said_why(home: Path, folder: Path, trace: Trace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    assert looked_at(file_of(home, "lcm"), trace)["loaded_by"] == "us: the library does not find all that its networks need in it"
    called = copy(file_of(home, "sd1"), tmp_path / "sd1.weights")
    assert looked_at(called, trace)["loaded_by"] == "us: of single files the library is given those that end with .safetensors"
    tiny = written(tmp_path / "taesd.safetensors", tiny_coder().state_dict())
    found = looked_at(tiny_folder(tmp_path / "sd", "sd1"), trace, vae=str(tiny))
    assert found["loaded_by"] == "the library, but for the autoencoder taesd.safetensors" and found["equal"]
    (seldom := tmp_path / "canny.sft").write_bytes(written(tmp_path / "canny.safetensors", spelled(control_of(folder_of(home, "sd1")), "trained")).read_bytes())
    assert looked_at(folder_of(home, "sd1"), trace, controlnet=str(seldom))["loaded_by"] == "us: of single files the library is given those that end with .safetensors"
    lora = tiny_lora(opened(folder).pipeline, words=("q_proj", "fc1"))
    for uneven in (as_kohya(lora, 4, 2), scaled(lora, lora_alpha=2)):
        assert looked_at(folder, trace, loras=given((uneven.write(tmp_path / "hat.safetensors"), 1.0)))["loaded_by"].startswith("us: a LoRA has several alphas")
    partly = as_kohya(lora).write(tmp_path / "hat.safetensors")
    assert looked_at(folder, trace, loras=given((partly, 1.0)))["loaded_by"] == "us: the library leaves out layers of a LoRA"
    monkeypatch.setattr(stock_loading, "free_on", lambda device: (device, 1000))
    assert looked_at(folder, trace)["loaded_by"] == "us: there is no memory for its weights twice"
    monkeypatch.undo()
    monkeypatch.setattr(diffusers.StableDiffusionImg2ImgPipeline, "from_pretrained", lambda *given, **named: 1 / 0)
    assert looked_at(folder, trace)["loaded_by"] == "us: the library does not open it (ZeroDivisionError)"


def test_the_page_needs_nothing_but_itself_and_the_document_is_of_the_form(found: tuple[ProbeResult, Probe], tmp_path: Path) -> None:
    result, work = found
    text = probe_page(result, work.pictures).decode()
    assert "tiny-sd" in text and "StableDiffusionImg2ImgPipeline" in text and text.count("data:image/") >= 5
    assert not re.search(r'(src|href)="(?!data:)', text)
    path = tmp_path / "probe.json"
    path.write_text(result.model_dump_json())
    assert read_result(path) == result and main([str(path)]) == 0
    assert str(Path(work.spec.checkpoint).parent) not in path.read_text()  # where it lies is nobody's business


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"more": 1}, "more"), ({"pixelos_probe": 2}, "pixelos_probe"), ({"mode": "awake"}, "mode"),
        ({"checkpoint": {"name": "x", "family": "sd1", "sha256": "xyz", "parameters": 1}}, "checkpoint.sha256"),
        ({"parts": {"taste": {"state": "done"}}}, "parts"), ({"parts": {"demo": {"state": "fine"}}}, "parts.demo.state"),
    ],
)  # fmt: skip
def test_what_is_of_another_form_is_refused(found: tuple[ProbeResult, Probe], tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "probe.json"
    path.write_text(json.dumps({**json.loads(found[0].model_dump_json()), **change}))
    with pytest.raises(InputError, match=message):
        read_result(path)
    assert main([str(path)]) == 2


def test_every_probe_in_the_results_folder_is_of_the_form() -> None:
    found = [read_result(path) for path in RESULTS.glob("probe-*.json")]
    assert any(part.state == "done" for result in found for part in result.parts.values())


def test_the_schema_is_the_one_of_the_code() -> None:
    assert json.loads(SCHEMA.read_text()) == ProbeResult.model_json_schema()


def test_a_part_that_fails_is_told_and_the_others_go_on(folder: Path, trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(work: Probe) -> dict[str, object]:
        raise ZeroDivisionError("nothing\nto divide by")

    monkeypatch.setattr(probing, "apart", lambda look, *given: look(*given))
    for name in ("legibility", "latency", "equality", "demo"):
        monkeypatch.setitem(probing.LOOKS, name, broken)
    work = Probe(spec(folder), trace, lambda line: None)
    result = probe(work)
    assert result.parts["legibility"].why == "ZeroDivisionError: nothing to divide by" and result.parts["legibility"].state == "failed"
    assert result.parts["untouched"].state == "done"
    assert "nothing to divide by" in probe_page(result, work.pictures).decode()


def test_the_command_says_why_a_checkpoint_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "apart", lambda look, *given: look(*given))
    hostile = tiny_folder(tmp_path / "sd1", "sd1")
    tensors(lambda held, key: held[key].fill_(float("nan")))(hostile, BASES["sd1"])
    out = tmp_path / "report.html"
    assert status(["models", "probe", str(hostile), "--out", str(out), "--profile", str(tmp_path / "profile")]) == 2
    assert "not finite" in capsys.readouterr().err
    result = read_result(tmp_path / "report.json")
    assert result.parts["safety"].state == "failed" and {part.state for name, part in result.parts.items() if name != "safety"} == {"not reached"}
    assert "not finite" in out.read_text()
    assert status(["models", "probe", str(hostile), "--profile", str(tmp_path / "profile")]) == 2
    assert "--out REPORT.html is missing" in capsys.readouterr().err
