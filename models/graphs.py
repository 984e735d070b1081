"""CUDA graphs: what a function launches for tensors of given shapes is recorded once, and sent to the GPU in one go from then on.

A function that is wrapped goes on as it is, launch by launch, until it was captured for what it is given; and again where that
failed. It takes tensors (or None) and gives one tensor or several, looks at no value, and brings nothing up from the host, so that a
recording holds for every content. Captures come about piece by piece, between paints: see `engine.child`.

All graphs of a painter share one pool of memory, for they never run at once. So the next replay, of whichever graph, may write
over a result: it is cloned on the same stream before anyone sees it. A second buffer would not do, as it would lie in that pool
too, and a crop's clone takes some microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from engine.painter import GRAPHS, Readiness

WARM_UPS = 2  # runs on the capturing stream before: libraries choose their kernels and take their workspaces
MOST = 64  # captures of one function; shapes that never end would take all memory
Static = Callable[..., Any]  # of tensors, to one or a tuple of them
Inputs = Sequence[Tensor | None]
Signature = tuple[tuple[torch.Size, torch.dtype] | None, ...]


class Recorder(Protocol):
    """Where what a function launches can be recorded."""

    def record(self, function: Static, inputs: Inputs) -> tuple[Callable[[], None], Any]:
        """(What launches it all again, what holds the result then.) inputs: read where they are, each time."""


class CudaRecorder:
    """Of one GPU: one pool and one stream for every capture, as torch asks of those who share memory."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        with torch.cuda.device(device):
            self._pool = torch.cuda.graph_pool_handle()
            self._stream = torch.cuda.Stream()

    def record(self, function: Static, inputs: Inputs) -> tuple[Callable[[], None], Any]:
        with torch.cuda.device(self._device):
            current = torch.cuda.current_stream()
            self._stream.wait_stream(current)
            with torch.cuda.stream(self._stream):
                for _ in range(WARM_UPS):
                    function(*inputs)
            current.wait_stream(self._stream)
            graph = torch.cuda.CUDAGraph()
            # Other threads of this process may go on allocating: only what this one does must be fit for a capture.
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
                output = function(*inputs)
        return graph.replay, output


def recorder_for(device: torch.device) -> Recorder | None:
    """None where there are no graphs."""
    return CudaRecorder(device) if device.type == "cuda" else None


class Graphs:
    """A painter's graphs. on: whether there are to be any. A function must be told of when what it reads beside its inputs
    moves: weights that move or change need `renew` or `drop`, or a replay would read where they were."""

    def __init__(self, device: torch.device, without: Sequence[str] = ()) -> None:
        self._recorder = None if GRAPHS in without else recorder_for(device)
        self._functions: list[_Graphed] = []
        self._rehearsals: Sequence[Callable[[], object]] = ()
        self._left: list[Callable[[], object]] = []
        self._all = self._done = 0
        self._told: Readiness | None = None
        self._note = ""
        self._recording = False

    @property
    def on(self) -> bool:
        return self._recorder is not None

    def wrap(self, function: Static, lasting: int | None = None) -> Static:
        """The function, replayed where it was captured. lasting: the first of its inputs that never change as long as they are the same tensor,
        if any: from there on they are brought to where a recording reads them only when they are another."""
        if self._recorder is None:
            return function
        self._functions.append(_Graphed(self, function, lasting))
        return self._functions[-1]

    def rehearse(self, rehearsals: Sequence[Callable[[], object]]) -> None:
        """What to do, unseen, so that wrapped functions are captured for what they are given meanwhile: each is one piece."""
        self._rehearsals = rehearsals if self._recorder is not None else ()
        self._begin()

    def advance(self) -> Readiness | None:
        """Say how much there is to capture, then capture one piece a call; how far that is, None where it was told before.
        Never raises for a capture that fails: all are let go, and why is in the note."""
        if self._left and self._told is not None:
            rehearsal = self._left.pop(0)
            self._recording = True
            try:
                rehearsal()
                self._done += 1
            except (RuntimeError, MemoryError) as error:
                self._give_up(f"a capture failed: {(str(error) or type(error).__name__).splitlines()[0][:120]}")
            finally:
                self._recording = False
        if not self._rehearsals:
            return None
        now = Readiness(GRAPHS, self._done, self._all, self._note)
        if now == self._told:
            return None
        self._told = now
        return now

    def renew(self) -> None:
        """Forget all, and capture anew: weights have changed."""
        for function in self._functions:
            function.forget()
        if not self._note:
            self._begin()

    def drop(self) -> bool:
        """Let go of all, for good: memory is needed, or weights will move. Whether there was anything to let go."""
        had = bool(self._left) or any(function.held for function in self._functions)
        if had:
            self._give_up("memory was needed")
        return had

    def _give_up(self, why: str) -> None:
        self._left.clear()
        self._note = why
        for function in self._functions:
            function.forget()

    @property
    def recorder(self) -> Recorder | None:
        """Who records at the moment; None while nobody does."""
        return self._recorder if self._recording else None

    def missed(self) -> None:
        """A function was given what it was never captured for: the rehearsals are gone through again."""
        if not self._left and not self._note and not self._recording:
            self._begin()

    def _begin(self) -> None:
        self._left = list(self._rehearsals)
        self._all, self._done, self._told = len(self._left), 0, None


class _Graphed:
    def __init__(self, owner: Graphs, function: Static, lasting: int | None) -> None:
        self._owner, self._function, self._lasting = owner, function, lasting
        self._captures: dict[Signature, _Capture] = {}
        self._missed: set[Signature] = set()

    @property
    def held(self) -> bool:
        return bool(self._captures)

    def forget(self) -> None:
        self._captures.clear()
        self._missed.clear()

    def __call__(self, *inputs: Tensor | None) -> Any:
        key: Signature = tuple(None if one is None else (one.shape, one.dtype) for one in inputs)
        capture = self._captures.get(key)
        recorder = self._owner.recorder
        if capture is None and recorder is not None and len(self._captures) < MOST:
            capture = self._captures[key] = _Capture(recorder, self._function, inputs, self._lasting)
        if capture is not None:
            return capture(inputs)
        if key not in self._missed and len(self._missed) < MOST:
            self._missed.add(key)
            self._owner.missed()
        return self._function(*inputs)


class _Capture:
    @torch.inference_mode()
    def __init__(self, recorder: Recorder, function: Static, inputs: Inputs, lasting: int | None) -> None:
        self._inputs = [None if one is None else torch.empty_like(one).copy_(one) for one in inputs]
        self._there: list[Tensor | None] = [None] * len(inputs)  # of those that last; held, so that no other can be taken for them
        self._lasting = len(inputs) if lasting is None else lasting
        self._replay, self._output = recorder.record(function, self._inputs)

    @torch.inference_mode()
    def __call__(self, inputs: Inputs) -> Any:
        for i, (own, given) in enumerate(zip(self._inputs, inputs, strict=True)):
            if own is not None and given is not None and given is not self._there[i]:
                own.copy_(given, non_blocking=True)
                self._there[i] = given if i >= self._lasting else None
        self._replay()
        return cloned(self._output)


def cloned(found: Any) -> Any:
    """A copy of each tensor of a function's result."""
    return tuple(one.clone() for one in found) if isinstance(found, tuple) else found.clone()
