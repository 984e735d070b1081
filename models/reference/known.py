"""What is known of the user as a few tokens behind those of a stock pipeline's sentence, as latent painters have them.

A pipeline whose encoding can be given finished embeddings is handed its own, lengthened: places and masks for them it makes
itself. The context's summary goes through the same encoding, and its words' states are averaged. No picture is read
with it, only a blank one where a template wants one: what is painted depends on what is asked for, not on when the context changed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from models.placing import ENCODERS
from models.prompted.conditioning import CONTEXT_TOKENS, few

# Encodings give back what they can be given in the order in which they take it, but for these; "" is what they make anew.
CROSSED = {
    "ChromaImg2ImgPipeline": (
        "prompt_embeds", "", "prompt_attention_mask", "negative_prompt_embeds", "", "negative_prompt_attention_mask",
    ),
}  # fmt: skip
SHOWN = "image_pad_mask"  # tells which tokens stand for pictures: none of ours
# Of the words alone: not what is to be avoided beside them, and their padding not cut off, by which places are told (Kandinsky 3)
ALONE = {"do_classifier_free_guidance": False, "_cut_context": False}
BLANK = Image.new("RGB", (56, 56))


class ContextTokens:
    """Of one pipeline. encode: its own encoding of a sentence; taken: whether that can be given finished embeddings."""

    def __init__(self, pipeline: Any, encode: Callable[..., Any]) -> None:
        self._pipeline, self._encode = pipeline, encode
        self._takes = inspect.signature(encode)
        self.taken = "prompt_embeds" in self._takes.parameters
        given = tuple(name for name in self._takes.parameters if "embeds" in name or "mask" in name)
        self._names = CROSSED.get(type(pipeline).__name__, given)
        self._kept: dict[tuple[str, str], Tensor] = {}  # by what was encoded, and how

    def behind(self, found: Any, context: str, avoided: bool, *given: Any, **named: Any) -> Any:
        """The encoding of a sentence with the context's tokens behind it; behind what is to be avoided, those of nothing.

        found: what the pipeline's own encoding gave for `given` and `named`; avoided: whether that sentence is one.
        """
        asked = self._takes.bind(*given, **named).arguments
        self._kept = {key: tokens for key, tokens in self._kept.items() if key[0] in (context, "")}
        longer = {}
        for name, value in zip(self._names, found, strict=False):
            if not name:
                continue
            if value is None or len(value) == 0 or "pooled" in name:
                longer[name] = value
            elif "mask" in name:
                longer[name] = torch.cat([value, value.new_full((len(value), CONTEXT_TOKENS), name != SHOWN)], 1)
            else:
                longer[name] = _behind(value, self._tokens("" if avoided or "negative" in name else context, asked))
        return self._encode(**{**asked, **longer})

    def forget(self) -> None:
        """The encoder is another one now."""
        self._kept.clear()

    def _tokens(self, words: str, asked: Mapping[str, Any]) -> Tensor:
        """The words' few tokens, encoded as the sentence that was `asked` for: (..., CONTEXT_TOKENS, D). Computed once for a context."""
        asked = {name: _blank(value) for name, value in asked.items() if name != "prompt"}
        asked |= {name: value for name, value in ALONE.items() if name in self._takes.parameters}
        key = words, repr(sorted(asked.items()))
        if key not in self._kept:
            self._kept[key] = few(self._states({**asked, "prompt": words}))
        return self._kept[key]

    def _states(self, asked: Mapping[str, Any]) -> Tensor:
        """A sentence's states, without those of padding and of pictures: (..., L, D)."""
        with self._heard() as heard:
            found = self._encode(**asked)[0]
        if isinstance(found, list):  # by sentence, or by parts of one between pictures, without padding
            return torch.cat(_flat(found))
        suffix = getattr(self._pipeline, "prompt_template_encode_suffix", "")  # LongCat's, which it cuts off
        tail = len(self._pipeline.tokenizer(suffix, add_special_tokens=False).input_ids) if suffix else 0
        words = torch.cat(heard)
        words = words[len(words) - tail - found.shape[-2] : len(words) - tail]  # what is cut off in front is template
        return found[..., words.to(found.device), :]

    @contextmanager
    def _heard(self) -> Iterator[list[Tensor]]:
        """Which of the tokens that text encoders are given meanwhile are words: bool (L,) a call."""
        heard = list[Tensor]()
        hooks = []
        for name in ENCODERS:
            if (encoder := getattr(self._pipeline, name, None)) is not None:
                hooks.append(encoder.register_forward_pre_hook(partial(_hear, heard), with_kwargs=True))
        try:
            yield heard
        finally:
            for hook in hooks:
                hook.remove()


def _hear(heard: list[Tensor], encoder: Any, given: tuple[Any, ...], named: Mapping[str, Any]) -> None:
    ids = named["input_ids"] if "input_ids" in named else given[0]
    mask = named.get("attention_mask")
    real = _unlike(ids, getattr(encoder.config, "pad_token_id", None)) if mask is None else mask.bool()
    heard.append((real & _unlike(ids, getattr(encoder.config, "image_token_id", None))).flatten())


def _unlike(ids: Tensor, one: int | None) -> Tensor:
    return torch.ones_like(ids, dtype=torch.bool) if one is None else ids != one


def _behind(value: Any, tokens: Tensor) -> Any:
    """Embeddings with the tokens behind them: behind the last, where a pipeline has them in a list."""
    return [*value[:-1], _behind(value[-1], tokens)] if isinstance(value, list) else torch.cat([value, tokens], -2)


def _flat(parts: list[Any]) -> list[Tensor]:
    return [one for part in parts for one in (_flat(part) if isinstance(part, list) else [part])]


def _blank(value: Any) -> Any:
    """The same without what its pictures show."""
    if isinstance(value, list):
        return [_blank(one) for one in value]
    return BLANK if isinstance(value, Image.Image) else value
