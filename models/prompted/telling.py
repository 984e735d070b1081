"""What a prompted checkpoint is told of a request: its family's words, the context behind them, encoded where they are new."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch

from engine.painter import EMBEDDINGS, PainterSpec, PaintRequest
from models.embeddings import Vocabulary
from models.families import Family
from models.instructions import templates_of
from models.last_used import LOOKS, LastUsed
from models.prompted.conditioning import Conditioning, Known, conditioned, context_tokens

NEGATIVE = "blurry, illegible text, distorted"


class Telling:
    """Of one checkpoint. again: whether what was asked for last had been told already."""

    def __init__(self, pipeline: Any, family: Family, spec: PainterSpec) -> None:
        self._pipeline, self._family, self._keeps = pipeline, family, EMBEDDINGS not in spec.without
        self.templates = templates_of(family, spec.profile)
        self._vocabulary = Vocabulary(pipeline, Path(spec.profile) if spec.profile else None)
        self._told: LastUsed[Conditioning] = LastUsed(LOOKS)
        self._known: LastUsed[Known] = LastUsed(LOOKS)
        self.again = False

    def prompt(self, request: PaintRequest) -> str:
        return self.templates.words(request)

    def said(self, request: PaintRequest) -> tuple[str, str]:
        """All that the checkpoint is told of the request: the words, and the context behind them."""
        return self.prompt(request), request.words.known

    def conditioning(self, request: PaintRequest) -> Conditioning:
        """Of the request's words, encoded anew only where they are not among the last ones: the same tensors for the same words."""
        said = self.said(request)
        told = self._told.get(said) if self._keeps else None
        self.again = told is not None
        return self._encoded(said) if told is None else told

    def _encoded(self, said: tuple[str, str]) -> Conditioning:
        met = self._vocabulary.taught
        for line in self._vocabulary.teach(said[0]):
            print(line, file=sys.stderr, flush=True)
        if self._vocabulary.taught != met:
            self.forget()  # a sentence may be cut into other words now
        told = conditioned(self._pipeline, self._family, said[0], NEGATIVE, self.known(said[1]), self._family.guidance)
        self._told.put(said, told)
        return told

    @torch.inference_mode()
    def known(self, context: str) -> Known:
        """The context's tokens, computed anew only for another context: events come and go beside them."""
        return self._known.of(context, partial(context_tokens, self._pipeline, context))

    def forget(self) -> None:
        """The encoder, or what it knows, is another one now."""
        self._told.clear()
        self._known.clear()
