"""What a stock pipeline made of its last words, so that its text encoder runs once for the same ones."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

KEPT = 4  # sentences: a long one takes some megabytes
PLAIN = (str, int, float, bool, type(None))


class RememberedWords:
    """Takes the place of a pipeline's `encode_prompt`, where it has one. Words that come with pictures are encoded anew."""

    def __init__(self, pipeline: Any) -> None:
        before = getattr(pipeline, "encode_prompt", None)
        self._encode: Any = before._encode if isinstance(before, RememberedWords) else before  # of a painter that had the pipeline before
        self._known: OrderedDict[str, Any] = OrderedDict()
        if self._encode is not None:
            pipeline.encode_prompt = self

    def __call__(self, *given: Any, **named: Any) -> Any:
        assert self._encode is not None
        if not all(plain(value) for value in (*given, *named.values())):
            return self._encode(*given, **named)
        key = repr((given, sorted(named.items())))
        if key not in self._known:
            self._known[key] = self._encode(*given, **named)
        self._known.move_to_end(key)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return self._known[key]

    def forget(self) -> None:
        """The encoder is another one now."""
        self._known.clear()


def plain(value: Any) -> bool:
    """Whether a value is all there in its `repr`."""
    if isinstance(value, dict):
        return plain(list(value)) and plain(list(value.values()))
    if isinstance(value, (list, tuple)):
        return all(plain(one) for one in value)
    return isinstance(value, PLAIN) or type(value).__module__ == "torch" and type(value).__name__ in ("device", "dtype")
