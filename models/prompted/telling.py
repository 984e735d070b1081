"""What a prompted checkpoint is told of a request: its family's words, the context behind them, encoded when they change."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch

from engine.painter import EMBEDDINGS, PainterSpec, PaintRequest
from models.embeddings import Vocabulary
from models.families import Family
from models.instructions import templates_of
from models.prompted.conditioning import Conditioning, Known, conditioned, context_tokens

NEGATIVE = "blurry, illegible text, distorted"


class Telling:
    """Of one checkpoint. told: the words and the context that were encoded last, and what came of them, None for none yet; again:
    whether what was asked for last had been told already."""

    def __init__(self, pipeline: Any, family: Family, spec: PainterSpec) -> None:
        self._pipeline, self._family, self._keeps = pipeline, family, EMBEDDINGS not in spec.without
        self.templates = templates_of(family, spec.profile)
        self._vocabulary = Vocabulary(pipeline, Path(spec.profile) if spec.profile else None)
        self.told: tuple[tuple[str, str], Conditioning] | None = None
        self._known: tuple[str, Known] | None = None
        self.again = False

    def prompt(self, request: PaintRequest) -> str:
        return self.templates.words(request)

    def conditioning(self, request: PaintRequest) -> Conditioning:
        """Of the request's words, encoded anew only when they change."""
        words = self.prompt(request), request.words.known
        self.again = self.told is not None and self.told[0] == words and self._keeps
        if self.told is None or not self.again:
            for line in self._vocabulary.teach(words[0]):
                print(line, file=sys.stderr, flush=True)
            context = self.known(words[1])
            self.told = words, conditioned(self._pipeline, self._family, words[0], NEGATIVE, context, self._family.guidance)
        return self.told[1]

    @torch.inference_mode()
    def known(self, context: str) -> Known:
        """The context's tokens, computed anew only when the context changed: events come and go beside them."""
        if self._known is None or self._known[0] != context:
            self._known = context, context_tokens(self._pipeline, context)
        return self._known[1]

    def clear(self) -> None:
        self.told = self._known = None
