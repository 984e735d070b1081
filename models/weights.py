"""A network filled with the weights of its folder: exactly the tensors that its config calls for, all of them finite.

Its shapes are known before any memory is taken for it (it is built on torch's meta device first), and the files' headers
are known to fit before any tensor is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from engine.errors import CheckpointError
from models.bits import BETWEEN, Packed, gathered, pieces_of
from models.configs import built
from models.findings import Findings
from models.gguf_file import GgufFile
from models.number_formats import FLOATS
from models.packed import is_packed, packed_network, unpacked
from models.rows import DATA
from models.safetensors_file import Digest, SafetensorsFile, open_safetensors
from models.scaled import goes_with_weights, scales_of, unscaled
from models.weight_files import files_of as files_of

BYTES = {**FLOATS, "U8": torch.uint8, "I8": torch.int8}
Network = TypeVar("Network", bound=nn.Module)


class Reading(NamedTuple):
    """How a family's weights are read. names: of the file, the likeliest first. largest: bytes of one part. spelled: a
    tensor's name without what differs from one library to another; harmless: tensors that are in files and in no network."""

    names: Sequence[str]
    largest: int
    spelled: Callable[[str], str] = str
    spelling: Callable[[str], Callable[[str], str]] = lambda network: str  # by a network's class: what an older name became
    harmless: re.Pattern[str] = re.compile(r"(?!)")
    dtype: torch.dtype = torch.float32  # in which they are held from the moment they are read


class Plan(NamedTuple):
    """What a network is to be filled with. wanted: its tensors, without memory; shared: those that are another's."""

    network: str  # its class
    wanted: dict[str, Tensor]
    shared: dict[str, str]


class _Undrawn(TorchFunctionMode):
    """No number is drawn to begin with: what is planned has none, and torch takes its compiler in to draw them on no device."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), named: Any = None) -> Any:
        if getattr(function, "__module__", "") == nn.init.__name__:
            return named["tensor"]
        return function(*args, **(named or {}))


def planned(build: Callable[[], nn.Module], path: Path, reading: Reading, findings: Findings) -> Plan:
    """Made on no device. path: of its settings; its folder's name is the part's. Raises CheckpointError."""
    with findings.row("sizes"):
        with torch.device("meta"), _Undrawn():
            plan = built(build, path)
            wanted: dict[str, Tensor] = {key: tensor for key, tensor in plan.state_dict().items() if not reading.harmless.search(key)}
            ties = getattr(plan, "_tied_weights_keys", None)
        findings.tell("sizes", f"{path.parent.name} {sum(tensor.numel() for tensor in wanted.values()) / 1e6:.1f} M numbers")
    return Plan(type(plan).__name__, wanted, {key: source for key, source in ties.items() if key in wanted} if isinstance(ties, dict) else {})


def assembled(empty: Callable[[], Network], path: Path, tensors: Mapping[str, Tensor], shared: Mapping[str, str]) -> Network:
    """A network of tensors that are known to be all of its own but the harmless and the shared, in eval mode."""
    network = built(empty, path)
    if any(map(is_packed, tensors.values())):
        tensors = packed_network(network, tensors)
    network.load_state_dict(tensors, strict=False, assign=True)
    for target, source in shared.items():
        owner, _, name = target.rpartition(".")
        setattr(network.get_submodule(owner), name, network.get_parameter(source))
    return network.eval().requires_grad_(False)


def filled(
    folder: Path, build: Callable[[], Network], empty: Callable[[], Network], reading: Reading, digest: Digest, findings: Findings
) -> Network:
    """The network of `folder`, in the number format of `reading` and in eval mode.

    build: makes it, on whatever device; empty: makes it without taking memory for its weights. digest sees every byte
    of the files. Raises CheckpointError.
    """
    plan = planned(build, folder / "config.json", reading, findings)
    with ExitStack() as files:
        shards, bits, places, shared = _matched(folder, plan, reading, files, findings)
        with findings.row("finite"):
            tensors: dict[str, Tensor] = {}
            for shard, names, packed in zip(shards, places, bits, strict=True):
                pieces = {name: f"{key}{BETWEEN}{piece}" for key, weight in packed.items() for piece, name in weight.names.items()}
                tensors |= _unfolded(finite(shard, {**names, **pieces}, digest, reading.dtype), packed, shard.path)
            findings.tell("finite", folder.name)
    return assembled(empty, folder / "config.json", tensors, shared)


def fit(folder: Path, build: Callable[[], nn.Module], reading: Reading, findings: Findings) -> None:
    """Raises CheckpointError unless the headers of a folder's files tell just what the network of `build` is filled with; no tensor is read."""
    with ExitStack() as files:
        _matched(folder, planned(build, folder / "config.json", reading, findings), reading, files, findings)


def _matched(
    folder: Path, plan: Plan, reading: Reading, files: ExitStack, findings: Findings
) -> tuple[list[SafetensorsFile], list[dict[str, Packed]], list[dict[str, str]], dict[str, str]]:
    """A folder's open files; of each, by the network's names, what is packed into bits, and by its own, what is not; and what is another's
    tensor. Raises CheckpointError."""
    wanted = plan.wanted
    with findings.row("headers"):
        shards = [files.enter_context(open_safetensors(path, reading.largest)) for path in files_of(folder, reading)]
        findings.tell("headers", f"{folder.name} {sum(len(shard.entries) for shard in shards)} tensors")
    spell = reading.spelling(plan.network)
    own = {reading.spelled(key): key for key in wanted}
    with findings.row("tensors"):
        bits = [_packed(shard, wanted, own, reading, spell) for shard in shards]
        places = [_fitting(shard, wanted, own, reading, spell, packed) for shard, packed in zip(shards, bits, strict=True)]
        held = {key for names in (*(names.values() for names in places), *bits) for key in names}
        shared = {target: source for target, source in plan.shared.items() if target not in held and source in held}
        whole = {key: tensor for key, tensor in wanted.items() if key not in shared and not any(key in packed for packed in bits)}
        _complete(folder, shards, places, whole)
        findings.tell("tensors", f"{folder.name} all {len(wanted)}")
    return shards, bits, places, shared


def _packed(
    shard: SafetensorsFile, wanted: Mapping[str, Tensor], own: Mapping[str, str], reading: Reading, spell: Callable[[str], str]
) -> dict[str, Packed]:
    """A file's weights that are packed into bits, by the network's names. Raises CheckpointError."""
    names = [*shard.entries, *(name.removesuffix(DATA) for name in shard.entries if name.endswith(DATA))]
    known = {name: own.get(reading.spelled(name)) or own.get(reading.spelled(spell(name))) for name in names}
    shapes = {name: tuple(wanted[key].shape) for name, key in known.items() if key is not None}
    return {str(known[name]): weight for name, weight in pieces_of(shard.entries, shapes, shard.path).items()}


def _unfolded(tensors: dict[str, Tensor], packed: Mapping[str, Packed], path: Path) -> dict[str, Tensor]:
    """With the packed weights of a file as one tensor each, all of them finite. Raises CheckpointError."""
    if not packed:
        return tensors
    found = gathered(tensors, packed, path)
    for key in packed:
        if not torch.isfinite(unpacked(found[key])).all():
            raise CheckpointError(f"{path}: {key} holds values that are not finite; the file is damaged, copy it again")
    return found


def _fitting(
    shard: SafetensorsFile, wanted: Mapping[str, Tensor], own: Mapping[str, str], reading: Reading, spell: Callable[[str], str],
    packed: Mapping[str, Packed],
) -> dict[str, str]:  # fmt: skip
    """For each of a file's tensors that are used, the network's name of it. Raises CheckpointError for one it has no use for."""
    names = {}
    pieces = {name: key for key, weight in packed.items() for name in weight.names.values()}
    scales_of(shard, pieces)  # which go with their weights, or are refused
    for name, entry in shard.entries.items():
        if reading.harmless.search(name) or name in pieces or goes_with_weights(name):
            continue
        key = own.get(reading.spelled(name)) or own.get(reading.spelled(spell(name)))
        if key is None:
            raise CheckpointError(f"{shard.path}: the tensor {name} does not belong there; the file does not fit its config.json")
        if entry.shape != tuple(wanted[key].shape) or entry.dtype not in FLOATS:
            raise CheckpointError(
                f"{shard.path}: {name} is {entry.shape} {entry.dtype}, wanted {tuple(wanted[key].shape)} of floats; "
                "the file does not fit its config.json"
            )
        names[name] = key
    return names


def _complete(folder: Path, shards: Sequence[SafetensorsFile], places: Sequence[Mapping[str, str]], wanted: Mapping[str, Tensor]) -> None:
    """Raises CheckpointError unless every wanted tensor is there, once."""
    found: dict[str, Path] = {}
    for shard, names in zip(shards, places, strict=True):
        for key in names.values():
            if key in found:
                raise CheckpointError(f"{shard.path}: the tensor {key} stands in {found[key].name} too; get a clean copy")
            found[key] = shard.path
    if missing := sorted(wanted.keys() - found.keys()):
        where = shards[0].path if len(shards) == 1 else folder
        raise CheckpointError(f"{where}: the tensor {missing[0]} is missing; the file does not fit its config.json")


def finite(
    shard: SafetensorsFile | GgufFile, names: Mapping[str, str], digest: Digest, dtype: torch.dtype = torch.float32
) -> dict[str, Tensor]:
    """A file's tensors under the network's names, in `dtype` but for what stays packed. Raises CheckpointError for a number
    that is none."""
    found = {}
    for name, tensor in unscaled(shard, names, digest, BYTES):
        if tensor.dtype in (torch.uint8, torch.int8) and not is_packed(tensor):  # a piece of what is packed into bits
            found[names[name]] = tensor
            continue
        number = unpacked(tensor) if is_packed(tensor) else tensor.float()
        if not torch.isfinite(number).all():
            raise CheckpointError(f"{shard.holder(name)}: {name} holds values that are not finite; the file is damaged, copy it again")
        if BETWEEN in names[name]:
            found[names[name]] = tensor if tensor.dtype.itemsize == 1 else number  # another, as it is
            continue
        held = number.to(dtype)
        if dtype == torch.float16 and not torch.isfinite(held).all():
            raise CheckpointError(f"{shard.holder(name)}: {name} holds numbers too large for float16; use --dtype bfloat16 or float32")
        found[names[name]] = tensor if is_packed(tensor) else held
    return found
