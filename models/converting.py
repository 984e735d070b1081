"""Networks computed by OpenVINO, on a CPU where that is installed. torch calls each layer of a U-Net by itself and lays its weights
out anew every time: for a small crop that takes longer than the sums do.

A network is converted at its first call, from what that call did (torch's tracer tells), for every batch and size; how many
channels an input has is fixed. What is traced has sides that do not come out when they are halved, so that a U-Net takes the sizes of its
way up from those of its way down, whatever they are. What it gives then is compared with torch's own result.

The first few sizes of pictures are compiled once more, each for itself: what is compiled for any size asks every layer anew what lies
before it, and lays out its memory and its weights anew whenever a size follows another.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib.util import find_spec
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from engine.painter import OPENVINO
from models.compiling import Backend, Blocks, Region
from models.devices import free_bytes

CPU = torch.device("cpu")
TIMES = 4  # as much memory as a network's weights: it lays them out in several ways, by the size of what it is given
OWN = 3  # sizes of pictures that are compiled for themselves; each takes twice the weights' memory again
CLOSE = 1e-4  # of the greatest number: how far from torch's result another may be
PICTURE = 4  # dimensions of a batch of pictures
TRACED = 17  # side of the first of them; halved and rounded up it is 9, 5, 3 and 2
HOLE = "a tensor"  # in the place of one


def regions_of(pipeline: Any, steady: bool) -> list[Region]:
    """What `--compile` compiles of a latent painter's networks. steady: whether weights stay as they are, on a CPU."""
    unet, vae = pipeline.unet, pipeline.vae
    networks = [unet, getattr(pipeline, "controlnet", None), getattr(vae, "encoder", None), getattr(vae, "decoder", None)]
    present = [network for network in networks if isinstance(network, nn.Module)]
    whole = all(weight.dtype == torch.float32 for network in present for weight in network.parameters())
    if not (steady and whole and find_spec("openvino")):
        return [Blocks(unet)]
    threads = torch.get_num_threads()
    return [Lone(threads), *(Converted(network, threads) for network in present)]


class Lone:
    """A region as well: what is left for torch is done by one thread. It is little, and others that wait for more of it would be in the
    way of OpenVINO's: they took an eighth of a letter's time. threads: that torch has before, and after."""

    compiler = OPENVINO

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def compile(self, backend: Backend) -> None:
        torch.set_num_threads(1)

    def as_it_was(self) -> None:
        torch.set_num_threads(self._threads)


class Converted:
    """A region, see `models.compiling`: a network in float32 on a CPU, whose weights stay as they are. threads: that it may take."""

    compiler = OPENVINO

    def __init__(self, network: nn.Module, threads: int = 1) -> None:
        self._network, self._threads = network, threads
        self._needs = TIMES * sum(weight.nbytes for weight in network.parameters())
        self._models: dict[str, Callable[[Sequence[Tensor]], Any]] = {}  # by what a call gives beside numbers

    def compile(self, backend: Backend) -> None:
        """From the next call on. backend: torch's, which is not asked. Raises MemoryError where there is too little for it."""
        if not self._has_room():
            raise MemoryError(f"it needs {self._needs / 1e9:.1f} GB of memory")
        self._network.forward = self._computed  # type: ignore[method-assign]

    def as_it_was(self) -> None:
        vars(self._network).pop("forward", None)
        self._models.clear()

    def _has_room(self) -> bool:
        return free_bytes(CPU) >= self._needs

    def _computed(self, *args: Any, **named: Any) -> Any:
        leaves, form = tree_flatten((args, named))
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        rest = [HOLE if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        key = repr((form, rest, [(_free(tensor), tensor.dtype) for tensor in tensors]))
        if key not in self._models:
            own = MethodType(type(self._network).forward, self._network)
            self._models[key] = _Model(partial(_filled, own, form, rest), tensors, self._threads, self._has_room)
        return self._models[key](tensors)


class _Model:
    """A function of tensors, for all that differ from those given in batch and size alone. has_room: whether there is memory for one more
    size of its own. Raises RuntimeError where it comes to something else than torch does."""

    def __init__(self, function: Callable[[Sequence[Tensor]], Any], given: Sequence[Tensor], threads: int, has_room: Callable[[], bool]) -> None:
        from openvino.frontend import FrontEndManager
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

        flat, uneven = _Flat(function), _uneven(given)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that what is traced may depend on sizes: see below
            traced = torch.jit.trace(flat, uneven, check_trace=False)
            decoder = TorchScriptPythonDecoder(traced, example_input=uneven)  # which must live until all is converted
            reader = FrontEndManager().load_by_framework("pytorch")  # `openvino.convert_model` would tell its makers of it
            self._converted = reader.convert(reader.load(decoder))
        self._threads, self._has_room = threads, has_room
        self._any = self._compiled(list(map(_free, given)))
        self._own: dict[str, Any] = {}  # by the shapes of what is given
        wanted, self._form = flat(*given), flat.form
        found = [*self._found(self._any, given), *self._found(self._request(given), given)]
        for one, other in zip([*wanted, *wanted], found, strict=True):
            if one.shape != other.shape or not torch.allclose(one, other, rtol=0, atol=CLOSE * float(one.abs().max())):
                raise RuntimeError("what it computes is not what torch does")

    def __call__(self, tensors: Sequence[Tensor]) -> Any:
        return tree_unflatten(self._found(self._request(tensors), tensors), self._form)

    def _found(self, request: Any, tensors: Sequence[Tensor]) -> list[Tensor]:
        given = [tensor.contiguous().numpy() for tensor in tensors]
        found = request.infer(given, share_inputs=True, share_outputs=True)
        return [torch.from_numpy(found[i]).clone() for i in range(len(found))]  # the next call writes over what was found

    def _request(self, tensors: Sequence[Tensor]) -> Any:
        """What computes tensors of these shapes: what is for pictures of this size alone, if they are among the first."""
        shapes = [[*tensor.shape] if tensor.ndim == PICTURE else _free(tensor) for tensor in tensors]
        key = repr(shapes)
        if key not in self._own and len(self._own) < OWN:
            self._own[key] = self._compiled(shapes) if self._has_room() else self._any
        return self._own.get(key, self._any)

    def _compiled(self, shapes: Sequence[list[int]]) -> Any:
        model = self._converted.clone()
        model.reshape(dict(enumerate(shapes)))
        how = {"INFERENCE_NUM_THREADS": self._threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        return _core().compile_model(model, "CPU", how).create_infer_request()


@cache
def _core() -> Any:
    """OpenVINO's, the only one, for as long as the process lives. Each sets an alternate stack for signals and, once it is gone, the one
    that it found: after two of them that is memory given back, and the next Ctrl-C is a segmentation fault."""
    import openvino

    return openvino.Core()


class _Flat(nn.Module):
    """A function whose results lie one behind the other. form: what they were in."""

    def __init__(self, function: Callable[[Sequence[Tensor]], Any]) -> None:
        super().__init__()
        self._function = function
        self.form: Any = None

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        found, self.form = tree_flatten(self._function(tensors))
        return tuple(found)


def _filled(function: Callable[..., Any], form: Any, rest: Sequence[Any], tensors: Sequence[Tensor]) -> Any:
    """What it gives, with tensors in the holes of `rest`."""
    given = iter(tensors)
    args, named = tree_unflatten([next(given) if leaf is HOLE else leaf for leaf in rest], form)
    return function(*args, **named)


def _uneven(given: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """What may be given as well, of sizes that do not come out: the first picture is TRACED wide and high, others as often halved as they were."""

    def other(tensor: Tensor) -> Tensor:
        times = round(math.log2(given[0].shape[-1] / tensor.shape[-1]))
        side = -(-TRACED // 2**times) if times > 0 else TRACED * 2**-times  # rounded up, as convolutions do
        return tensor.new_zeros(*tensor.shape[:2], side, side)

    return tuple(other(tensor) if tensor.ndim == PICTURE else tensor for tensor in given)


def _free(tensor: Tensor) -> list[int]:
    """A shape with -1 for all but channels: of pictures the second, of words, which may be more, the last."""
    fixed = 1 if tensor.ndim == PICTURE else tensor.ndim - 1
    return [side if i == fixed else -1 for i, side in enumerate(tensor.shape)]
