"""What a stock pipeline made of its last words, so that its text encoder runs once for the same ones; and what is known behind them."""

from __future__ import annotations

from functools import partial
from typing import Any

from models.last_used import LOOKS, LastUsed
from models.reference.known import ContextTokens

PLAIN = (str, int, float, bool, type(None))
ENCODINGS = ("encode_prompt_multiple_images", "encode_prompt")  # the first that a pipeline has is what it calls where it is shown pictures


class RememberedWords:
    """Takes the place of a pipeline's encoding of a sentence, where it has one. Words that come with pictures are encoded anew.

    place: that encoding's name, "" for none; keeps: whether what came of a sentence is kept. A context that it is told stands as a
    few tokens behind each sentence, where the pipeline can be given such.
    """

    def __init__(self, pipeline: Any, keeps: bool = True) -> None:
        self.place = next((name for name in ENCODINGS if hasattr(pipeline, name)), "")
        before = getattr(pipeline, self.place, None)
        self._encode: Any = before._encode if isinstance(before, RememberedWords) else before  # of a painter that had the pipeline before
        self._keeps = keeps
        self._kept: LastUsed[Any] = LastUsed(LOOKS)
        self._tokens: ContextTokens | None = None
        self._prompt = self._context = ""
        if self._encode is not None:
            tokens = ContextTokens(pipeline, self._encode)
            self._tokens = tokens if tokens.taken else None
            setattr(pipeline, self.place, self)

    @property
    def takes_tokens(self) -> bool:
        """Whether the context can be told in tokens; where it cannot, it is to be said in the sentence."""
        return self._tokens is not None

    def tell(self, prompt: str, context: str) -> None:
        """What the pipeline is to be called with next, and what stands behind it, "" for nothing; any other sentence is to be avoided."""
        self._prompt, self._context = prompt, context

    def __call__(self, *given: Any, **named: Any) -> Any:
        found = self._encoded(*given, **named)
        if self._tokens is None or not self._context:
            return found
        prompt = named["prompt"] if "prompt" in named else given[0]
        avoided = prompt not in (self._prompt, [self._prompt])
        return self._tokens.behind(found, self._context, avoided, *given, **named)

    def forget(self) -> None:
        """The encoder is another one now."""
        self._kept.clear()
        if self._tokens is not None:
            self._tokens.forget()

    def _encoded(self, *given: Any, **named: Any) -> Any:
        if not self._keeps or not all(plain(value) for value in (*given, *named.values())):
            return self._encode(*given, **named)
        key = repr((given, sorted(named.items())))
        return self._kept.of(key, partial(self._encode, *given, **named))


def plain(value: Any) -> bool:
    """Whether a value is all there in its `repr`."""
    if isinstance(value, dict):
        return plain(list(value)) and plain(list(value.values()))
    if isinstance(value, (list, tuple)):
        return all(plain(one) for one in value)
    return isinstance(value, PLAIN) or type(value).__module__ == "torch" and type(value).__name__ in ("device", "dtype")
