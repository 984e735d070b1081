"""The encodings of the last looks are kept: going back to one costs its encoder nothing, and what changes the encoder forgets them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.painter import EMBEDDINGS, Painter, PainterSpec, PaintRequest, Words
from models.catalog import open_painter
from models.last_used import LOOKS, LastUsed
from models.prompted.painter import PromptedPainter
from tests.test_embeddings import SPOKEN, taught, vectors
from tests.test_loras import PLAIN, pipeline_of
from tests.test_painters import SIZE, ask, drawn
from tests.tiny_families import tiny_folder
from tests.tiny_loras import as_kohya, tiny_lora

STYLES = ("paper", "dark", "paper")


def opened(checkpoint: str | Path, **other: Any) -> Any:
    return open_painter(PainterSpec(checkpoint=str(checkpoint), size=SIZE, threads=1, device="cpu", steps=1, **other))


def counted(owner: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What a function is given from now on."""
    found: list[Any] = []
    before: Callable[..., Any] = getattr(owner, name)

    def counting(*given: Any, **named: Any) -> Any:
        found.append(given)
        return before(*given, **named)

    monkeypatch.setattr(owner, name, counting)
    return found


def painted(painter: Painter, styles: tuple[str, ...] = STYLES) -> list[PaintRequest]:
    asked = [replace(ask(drawn(1), style=style), words=Words(style)) for style in styles]
    for one in asked:
        painter.paint(one)
    return asked


@pytest.fixture(scope="module")
def turbo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("looks") / "sd-turbo", "sd-turbo", tiny_vae=True)


@pytest.mark.parametrize(("without", "wanted"), [((), 2), ((EMBEDDINGS,), 3)])
def test_the_bundled_familys_context_is_encoded_once_a_look(without: tuple[str, ...], wanted: int) -> None:
    painter = opened("bundled", without=without)
    calls: list[Any] = []
    painter._tokens._encoder.register_forward_hook(lambda *_: calls.append(1))
    painted(painter)
    assert len(calls) == wanted


@pytest.mark.parametrize(("without", "wanted"), [((), 2), ((EMBEDDINGS,), 3)])
def test_a_prompted_checkpoints_words_are_encoded_once_a_look(
    turbo: Path, without: tuple[str, ...], wanted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    painter = opened(turbo, without=without)
    calls = counted(painter.pipeline, "encode_prompt", monkeypatch)
    asked = painted(painter)
    assert len(calls) == wanted
    if not without:
        assert painter.telling.conditioning(asked[0]) is painter.telling.conditioning(asked[2])


def test_the_weight_of_a_lora_has_words_and_context_encoded_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny_folder(tmp_path / "sd1", "sd1", tiny_vae=True)
    lora = as_kohya(tiny_lora(pipeline_of(folder), words=("q_proj", "fc1"))).write(tmp_path / "a.safetensors")
    painter = opened(folder, loras=((str(lora), 0.5),))
    calls = counted(painter.pipeline, "encode_prompt", monkeypatch)
    asked = replace(ask(drawn(1)), words=Words("paper", known="You like wood."))
    painter.paint(asked)
    once = len(calls)
    painter.paint(asked)
    assert len(calls) == once > 1
    painter.paint(replace(asked, weights=(("a", 0.1),)))
    assert len(calls) == 2 * once


def test_a_word_that_is_taught_has_all_words_encoded_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taught(tmp_path / "profile", emb_params=vectors(2))
    painter = opened(tiny_folder(tmp_path / "sd1", "sd1", tiny_vae=True), profile=str(tmp_path / "profile"))
    assert isinstance(painter, PromptedPainter)
    calls = counted(painter.pipeline, "encode_prompt", monkeypatch)
    plain = replace(SPOKEN, words=PLAIN)
    for one in (plain, SPOKEN, plain, SPOKEN):
        painter.telling.conditioning(one)
    assert len(calls) == 3, "the plain words once more, after the word was taught"


def test_only_the_last_few_are_kept() -> None:
    kept: LastUsed[int] = LastUsed(LOOKS)
    made: list[int] = []

    def make(number: int) -> int:
        made.append(number)
        return number

    for number in (*range(LOOKS), 0, LOOKS, 0, 1):
        assert kept.of(number, lambda number=number: make(number)) == number  # type: ignore[misc]
    assert made == [*range(LOOKS), LOOKS, 1], "the first was used again, so the second was let go"
    assert kept.of(None, lambda: make(9)) == kept.of(None, lambda: make(9)) == 9 and made.count(9) == 2
