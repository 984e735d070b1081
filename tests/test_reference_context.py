"""What is known of the user, told to reference painters: as tokens behind the instruction's, or in words where none are taken."""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from engine.geometry import Rect
from engine.painter import EMBEDDINGS, Edit, Words
from models.instructions import NAME
from models.placing import ENCODERS
from models.prompted.conditioning import CONTEXT_TOKENS, few
from models.reference.painter import ReferencePainter
from tests.test_painters import SIZE
from tests.test_references import ROWS, dreamt, painter_of, request, small_pictures
from tests.tiny_families import folder_of

__all__ = ["small_pictures"]

KNOWN = "You like wood. You opened Notes twelve times, mostly around nine."
TOLD = Words("dark blue", ("The user clicked the button 'Open'.",), KNOWN)
UNKNOWN = replace(TOLD, known="")
IN_WORDS = {"kandinsky5-edit", "joy-edit-plus", "fibo-edit", "dreamlite", "dreamlite-mobile"}
TAKING = [name for name in ROWS if name not in IN_WORDS]
KINDS = ["kontext", "klein-base", "flux2", "qwen-edit", "qwen-edit-plus", "qwen-image-2", "longcat-edit", "z-image-turbo", "z-image-omni",
         "sana-sprint", "chroma", "sd3", "joy-edit", "fibo2"]  # fmt: skip
AVOIDING = {"klein-base", "qwen-edit", "qwen-edit-plus", "longcat-edit", "z-image-omni", "chroma", "sd3", "joy-edit", "fibo2"}


class Lengthened(NamedTuple):
    """An encoding, before and after. avoided: whether it is of what is to be avoided."""

    avoided: bool
    before: tuple[Any, ...]
    after: tuple[Any, ...]


def lengthened(painter: ReferencePainter, monkeypatch: pytest.MonkeyPatch) -> list[Lengthened]:
    """What was put behind which sentences of a paint."""
    tokens = painter.words._tokens
    assert tokens is not None
    seen, behind = list[Lengthened](), tokens.behind

    def spied(found: Any, context: str, avoided: bool, *given: Any, **named: Any) -> Any:
        seen.append(Lengthened(avoided, found, behind(found, context, avoided, *given, **named)))
        return seen[-1].after

    monkeypatch.setattr(tokens, "behind", spied)
    painter.frame(request(words=TOLD))
    return seen


def runs_of(painter: ReferencePainter) -> list[str]:
    """Grows with every call of a text encoder."""
    runs = list[str]()
    for name in ENCODERS:
        if (encoder := getattr(painter.pipeline, name, None)) is not None:
            encoder.register_forward_hook(lambda *given, name=name: runs.append(name))
    return runs


def last(value: Any) -> Tensor:
    """The tensor behind which something is put: some pipelines have a list of them, or lists."""
    return last(value[-1]) if isinstance(value, list) else value


@pytest.mark.parametrize("family", ROWS)
def test_every_family_is_told_what_is_known_in_tokens_or_in_words_and_it_counts(checkpoints: Path, family: str) -> None:
    painter = painter_of(folder_of(checkpoints, family), steps=1)
    assert painter.words.takes_tokens == (family not in IN_WORDS)
    told, plain = (painter.call(request(words=words), (Rect(0, 0, *SIZE),))["prompt"] for words in (TOLD, UNKNOWN))
    assert (KNOWN in told) == (family in IN_WORDS) and (told == plain) == (family in TAKING)
    for asked in (request, dreamt):
        known, unknown = (painter.frame(asked(words=words)) for words in (TOLD, UNKNOWN))
        assert known.isfinite().all() and not torch.equal(known, unknown)
        assert torch.equal(known, painter.frame(asked(words=TOLD)))


@pytest.mark.parametrize("family", KINDS)
def test_the_contexts_tokens_stand_behind_the_sentences_and_nothings_behind_what_is_avoided(
    checkpoints: Path, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    painter = painter_of(folder_of(checkpoints, family), steps=1)
    seen, tokens = lengthened(painter, monkeypatch), painter.words._tokens
    assert tokens is not None
    kept = {words: few for (words, _), few in tokens._kept.items()}
    assert len(kept) == len(tokens._kept) and kept.keys() == ({KNOWN, ""} if family in AVOIDING else {KNOWN})
    for one in seen:
        lengths = {last(after).shape[-2] for name, after in zip(tokens._names, one.after, strict=False) if name.endswith("prompt_embeds") and "pooled" not in name and after is not None and len(after)}
        for name, before, after in zip_longest(tokens._names, one.before, one.after, fillvalue=""):
            if before is None or isinstance(before, list) and not before:
                assert before == after
            elif not name:  # numbers of places, which the pipeline makes itself
                assert lengths & set(last(after).shape)
            elif "pooled" in name:
                assert torch.equal(before, after)
            elif "mask" in name:
                assert torch.equal(after[:, :-CONTEXT_TOKENS], before) and (after[:, -CONTEXT_TOKENS:] == (name != "image_pad_mask")).all()
            else:
                words = "" if one.avoided or "negative" in name else KNOWN
                assert torch.equal(last(after), torch.cat([last(before), kept[words]], -2))
    assert [one.avoided for one in seen] == [False, *[True] * (len(seen) - 1)] and len({one.shape for one in kept.values()}) == 1


@pytest.mark.parametrize("family", KINDS)
def test_a_context_is_encoded_once_for_many_instructions(checkpoints: Path, family: str) -> None:
    painter = painter_of(folder_of(checkpoints, family), steps=1)
    looks = [replace(TOLD, look=look) for look in ("paper", "wool", "snow", "clean", "dark", "glass")]
    runs = runs_of(painter)

    def counted(words: Words) -> int:
        before = len(runs)
        painter.frame(request(words=words))
        return len(runs) - before

    first, plain = counted(looks[0]), counted(replace(looks[1], known=""))
    assert first > plain and [counted(words) for words in looks[2:5]] == [plain] * 3
    assert counted(replace(looks[5], known="You like glass.")) > plain
    painter.words.forget()
    assert counted(looks[5]) == first


def test_the_tokens_are_averages_of_the_contexts_own_words(checkpoints: Path) -> None:
    """Neither padding nor a picture is in them: T5 is told ninety letters and an end, and five hundred times nothing."""
    painter = painter_of(folder_of(checkpoints, "kontext"), steps=1)
    pipeline, tokens = painter.pipeline, painter.words._tokens
    assert tokens is not None
    states = painter.words._encode(prompt=KNOWN)[0]
    words = pipeline.tokenizer_2(KNOWN).input_ids
    assert len(words) < 100 < states.shape[1] and torch.equal(tokens._tokens(KNOWN, {}), few(states[:, : len(words)]))
    assert torch.equal(tokens._tokens("", {}), few(painter.words._encode(prompt="")[0][:, :1]))


@pytest.mark.parametrize("family", ["klein", "flux2", "longcat-edit", "qwen-edit", "joy-edit", "z-image-turbo", "z-image-omni", "sana-sprint", "chroma"])
def test_a_context_has_as_many_states_as_words_beyond_what_a_template_says(checkpoints: Path, family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Padding may stand on either side, or between the words and a template's end, as LongCat has it."""
    painter = painter_of(folder_of(checkpoints, family), steps=1)
    tokens, seen = painter.words._tokens, dict[str, Any]()
    assert tokens is not None
    states = tokens._states
    monkeypatch.setattr(tokens, "_states", lambda asked: states(seen.setdefault(asked["prompt"], asked)))
    painter.frame(request(words=TOLD))
    long, short = (states({**seen[KNOWN], "prompt": words}).shape[-2] for words in (KNOWN, ""))
    reader = getattr(painter.pipeline, "tokenizer", None) or painter.pipeline.processor
    reader = getattr(reader, "tokenizer", reader)
    assert long - short == len(reader(KNOWN).input_ids) - len(reader("").input_ids) and 0 < short < long


@pytest.mark.parametrize("family", ["longcat-edit", "qwen-edit", "qwen-image-2"])
def test_what_is_on_the_screen_is_not_in_the_tokens(checkpoints: Path, family: str) -> None:
    found = list[dict[tuple[str, str], Tensor]]()
    for seed in range(2):
        painter = painter_of(folder_of(checkpoints, family), steps=1)
        painter.frame(request(seed, words=TOLD))
        assert painter.words._tokens is not None
        found.append(painter.words._tokens._kept)
    assert found[0] and found[0].keys() == found[1].keys() and all(torch.equal(found[0][key], found[1][key]) for key in found[0])


def test_an_edit_is_told_its_instruction_alone(checkpoints: Path) -> None:
    painter = painter_of(folder_of(checkpoints, "klein"), steps=1)
    known, unknown = (replace(request(words=words), edit=Edit("a castle")) for words in (TOLD, UNKNOWN))
    assert torch.equal(painter.frame(known), painter.frame(unknown))


def test_nothing_is_remembered_where_embeddings_are_not_to_be_kept(checkpoints: Path) -> None:
    keeping, other = (painter_of(folder_of(checkpoints, "klein"), steps=1, without=without) for without in ((), (EMBEDDINGS,)))
    runs = runs_of(other)
    frame = other.frame(request(words=TOLD))
    before = len(runs)
    assert torch.equal(frame, other.frame(request(words=TOLD))) and len(runs) == before + 1
    assert torch.equal(frame, painter_of(folder_of(checkpoints, "klein"), steps=1).frame(request(words=TOLD))) and keeping.words is not other.words


@pytest.mark.parametrize("family", ["klein", "dreamlite"])
def test_a_template_of_the_users_own_says_it_where_it_wants(checkpoints: Path, tmp_path: Path, family: str) -> None:
    (tmp_path / NAME).write_text(f'[{family}]\nguided = "Mind this: {{known}} Paint it {{look}}."\n')
    painter = painter_of(folder_of(checkpoints, family), steps=1, profile=str(tmp_path))
    prompt = painter.call(request(words=TOLD), (Rect(0, 0, *SIZE),))["prompt"]
    assert prompt == f"Mind this: {KNOWN} Paint it dark blue."
    assert painter.frame(request(words=TOLD)).isfinite().all()
