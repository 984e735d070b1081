"""torch.compile by region: the same picture, what it took, and all as before where it does not work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.geometry import Rect
from engine.painter import PainterSpec, Words
from models.catalog import open_painter
from tests.checkpoints import tiny_checkpoint
from tests.stand_in_gpu import FakeRecorder
from tests.test_graphs import REQUESTS, made_ready
from tests.test_painters import SIZE, ask, drawn, empty, show
from tests.tiny_families import tiny_folder
from ui.options import Choice

SPEC = PainterSpec(size=SIZE, threads=1, device="cpu", dtype="float32", steps=1)


def spec_of(kind: str, folder: Path) -> PainterSpec:
    path = tiny_checkpoint(folder) if kind == "bundled" else tiny_folder(folder, kind, tiny_vae=True)
    return replace(SPEC, checkpoint=str(path))


@pytest.mark.parametrize("kind", ["bundled", "sd-turbo"])
def test_what_is_compiled_paints_the_same(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: set[str] = set()

    def backend(graph: Any, inputs: Any) -> Any:  # as "eager" is: what was traced runs as it was
        kinds.add(kind)
        return graph.forward

    torch._dynamo.reset()
    monkeypatch.setattr("models.compiling.BACKEND", backend)
    monkeypatch.setattr("models.converting.find_spec", lambda name: None)  # where there is no OpenVINO
    spec, request = spec_of(kind, tmp_path), replace(ask(drawn(1), (Rect(40, 48, 24, 16),)), words=Words("dark"))
    plain, compiled = open_painter(spec), open_painter(replace(spec, compiled=True))
    assert kinds and compiled.info.compile_s > 0 and not compiled.info.note and plain.info.compile_s == 0
    one, other = (painter.paint(request).patches[0].pixels.astype(int) for painter in (plain, compiled))
    assert np.abs(one - other).max() <= 1 and np.ptp(one) > 0


def test_the_bundled_familys_crop_is_compiled_whole_where_graphs_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.graphs.recorder_for", lambda device: FakeRecorder())
    traced: list[int] = []

    def backend(graph: Any, inputs: Any) -> Any:
        traced.append(len(inputs))
        return graph.forward

    torch._dynamo.reset()
    monkeypatch.setattr("models.compiling.BACKEND", backend)
    spec = spec_of("bundled", tmp_path)
    plain, compiled = open_painter(spec), open_painter(replace(spec, compiled=True))
    assert len(traced) == 2 and not compiled.info.note, "one piece for a letter and one for the frame"
    for painter in (plain, compiled):
        made_ready(painter)
    for request in REQUESTS:
        one, other = (show(painter, empty(), request).astype(int) for painter in (plain, compiled))
        assert np.abs(one - other).max() <= 1 and np.ptp(one) > 0
    assert len(traced) == 2, "nothing is compiled while somebody waits"


def test_where_there_is_no_compiler_it_is_said_and_painting_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(graph: Any, inputs: Any) -> Any:
        raise RuntimeError("no C++ compiler was found\nand more")

    torch._dynamo.reset()
    monkeypatch.setattr("models.compiling.BACKEND", broken)
    spec, request = spec_of("bundled", tmp_path), ask(drawn(1), (Rect(40, 48, 24, 16),))
    painter = open_painter(replace(spec, compiled=True))
    assert painter.info.note.startswith("torch.compile does not work here (") and "and more" not in painter.info.note
    assert painter.info.note.endswith("painting goes on without it")
    assert (painter.paint(request).patches[0].pixels == open_painter(spec).paint(request).patches[0].pixels).all()


def test_it_is_asked_for_by_name() -> None:
    assert Choice(compile=True).spec().compiled and not Choice().spec().compiled
