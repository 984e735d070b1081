"""Text encoders leave the GPU once their output is kept, and come back when there are new words. The GPU is played by the CPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import accelerate
import pytest
import torch

from engine.painter import EMBEDDINGS, PainterSpec, ReadyingPainter, Words
from models.catalog import open_carefully
from models.memory_plan import MemoryPlan
from models.placing import Placement
from tests.test_painters import SIZE, ask, drawn
from tests.tiny_families import tiny_folder


class Visits:
    """accelerate's hook of a network, as far as it is used: notes when the network comes and when it goes."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.here = False

    def hook(self, part: torch.nn.Module, device: torch.device) -> tuple[torch.nn.Module, Visits]:
        part.register_forward_pre_hook(lambda *given: self.come())
        self.seen.append("went")
        return part, self

    def come(self) -> None:
        if not self.here:
            self.seen.append("came")
        self.here = True

    def offload(self) -> None:
        self.seen.append("went")
        self.here = False

    @property
    def model(self) -> Any:
        class Weight:
            device = torch.device("cuda" if self.here else "cpu")

        class Model:
            def parameters(self) -> Any:
                return iter([Weight])

        return Model()


class Gpu:
    """A device that calls itself CUDA where it is asked, and is the CPU."""

    type = "cuda"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("words") / "sd", "sd-turbo", tiny_vae=True)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """`let_encoders_come` sees a GPU; nothing else does."""
    own = Placement.let_encoders_come

    def as_on_a_gpu(placement: Placement) -> None:
        device, placement.device = placement.device, Gpu()  # type: ignore[assignment]
        own(placement)
        placement.device = device

    monkeypatch.setattr(Placement, "let_encoders_come", as_on_a_gpu)


def test_they_go_in_the_first_pause_after_words_were_used_again(folder: Path, gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    visits = Visits()
    monkeypatch.setattr("models.placing.cpu_offload_with_hook", visits.hook)
    painter = open_carefully(PainterSpec(str(folder), size=SIZE, threads=1, device="cpu", steps=1))
    assert isinstance(painter, ReadyingPainter)
    looks = ["dark", "dark", "dark", "light", "dark"]
    seen = []
    for look in looks:
        before = len(visits.seen)
        painter.paint(replace(ask(drawn(0)), words=Words(look)))
        assert painter.get_ready() is None
        seen.append(visits.seen[before:])
    assert seen == [[], ["went"], [], ["came"], ["went"]]  # the probe's own words had them come before; the last look is known still


def test_without_the_embedding_cache_they_stay(folder: Path, gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    visits = Visits()
    monkeypatch.setattr("models.placing.cpu_offload_with_hook", visits.hook)
    painter = open_carefully(PainterSpec(str(folder), size=SIZE, threads=1, device="cpu", steps=1, without=(EMBEDDINGS,)))
    assert isinstance(painter, ReadyingPainter)
    for _ in range(3):
        painter.paint(replace(ask(drawn(0)), words=Words("dark")))
        painter.get_ready()
    assert visits.seen == ["went", "came"]


def test_the_librarys_own_hooks_do_it_and_change_no_pixel(folder: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    spec, asked = PainterSpec(str(folder), size=SIZE, threads=1, device="cpu", steps=1), replace(ask(drawn(0)), words=Words("dark"))
    plain = open_carefully(spec).paint(asked)
    request.getfixturevalue("gpu")
    moved: list[Any] = []
    own = accelerate.cpu_offload_with_hook
    monkeypatch.setattr("models.placing.cpu_offload_with_hook", lambda part, device: own(part, torch.device("cpu")))
    monkeypatch.setattr("accelerate.hooks.CpuOffload.init_hook", lambda hook, module: moved.append(type(module).__name__) or module)
    painter: Any = open_carefully(spec)
    found = painter.paint(asked)
    assert moved == ["CLIPTextModel"]
    assert all((one.pixels == other.pixels).all() for one, other in zip(plain.patches, found.patches, strict=True))
    placement = painter.painter.placement
    placement.plan = MemoryPlan("float32", True, "model", 0, True)
    placement.let_encoders_come()
    assert moved == ["CLIPTextModel"]  # they come and go by the plan's own hooks
