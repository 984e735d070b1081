"""Hostile checkpoints, each beside a twin that differs from it in one thing only and is harmless.

A case changes a sound folder in two ways. Whatever it plants leaves the file `ran` in the working folder if it ever runs.
"""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.checkpoints import tiny_checkpoint
from tests.tiny_families import tiny_folder

FILE = "diffusion_pytorch_model.safetensors"
PAYLOAD = "open('ran', 'w').close()"
PICKLED = (".ckpt", ".pt", ".pth", ".bin", ".pkl", ".keras", ".h5", ".onnx")


class Planted:
    """Leaves its mark when it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, (PAYLOAD,)


@dataclass(frozen=True)
class Base:
    """A sound checkpoint to change: the part that is changed, and one of its tensors."""

    name: str
    part: str
    tensor: str

    def weights(self, folder: Path) -> Path:
        return folder / self.part / FILE


BASES = {base.name: base for base in (Base("bundled", "denoiser", "head.bias"), Base("sd1", "unet", "conv_in.bias"))}
Change = Callable[[Path, Base], Any]


@dataclass(frozen=True)
class Case:
    """row: of the rules that it breaks; message: what the refusal must say; where: the checkpoints that it can be done to."""

    row: int
    hostile: Change
    twin: Change
    message: str
    where: tuple[str, ...] = tuple(BASES)


def sound_in(home: Path) -> Path:
    """The folder itself, with a sound checkpoint of each of BASES in it."""
    tiny_checkpoint(home / "bundled")
    tiny_folder(home / "sd1", "sd1")
    return home


def edit_json(path: Path, **changes: Any) -> None:
    told = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps({**told, **changes}))


def index(**changes: Any) -> Change:
    return lambda folder, base: edit_json(folder / "model_index.json", **changes)


def config(**changes: Any) -> Change:
    return lambda folder, base: edit_json(folder / base.part / "config.json", **changes)


def file(name: str, content: bytes | str) -> Change:
    """A file more; `{part}` in its name is the part's."""

    def add(folder: Path, base: Base) -> None:
        path = folder / name.format(part=base.part)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return add


def both(*changes: Change) -> Change:
    """One behind the other."""
    return lambda folder, base: [change(folder, base) for change in changes]


def part_class(pair: list[Any] | None) -> Change:
    """The part as of another class; None: of its own."""
    return lambda folder, base: edit_json(folder / "model_index.json", **({base.part: pair} if pair else {}))


def tensors(change: Callable[[dict[str, torch.Tensor], str], Any]) -> Change:
    """The part's weights, written anew once `change` has had them and a tensor's name."""

    def rewrite(folder: Path, base: Base) -> None:
        found = load_file(base.weights(folder))
        change(found, base.tensor)
        save_file(found, base.weights(folder))

    return rewrite


def header(change: Callable[[dict[str, Any], str], Any], tail: bytes = b"") -> Change:
    """The part's header, written anew once `change` has had it and a tensor's name; `tail` behind the file."""

    def rewrite(folder: Path, base: Base) -> None:
        data = base.weights(folder).read_bytes()
        length = int.from_bytes(data[:8], "little")
        told = json.loads(data[8 : 8 + length])
        text = change(told, base.tensor) or json.dumps(told)
        base.weights(folder).write_bytes(len(text).to_bytes(8, "little") + text.encode() + data[8 + length :] + tail)

    return rewrite


def content(change: Callable[[bytes], bytes]) -> Change:
    """The part's weights file, byte by byte."""

    def rewrite(folder: Path, base: Base) -> None:
        base.weights(folder).write_bytes(change(base.weights(folder).read_bytes()))

    return rewrite


def twice(told: dict[str, Any], tensor: str) -> str:
    """A header in which one name stands twice."""
    line = json.dumps(tensor) + ":" + json.dumps(told[tensor])
    return json.dumps(told)[:-1] + "," + line + "}"


def overlapping(told: dict[str, Any], tensor: str) -> None:
    """The second tensor begins where the first does."""
    first, second = sorted((line for line in told.values() if "dtype" in line), key=lambda line: line["data_offsets"])[:2]
    second["data_offsets"] = [0, second["data_offsets"][1] - first["data_offsets"][1]]


def shards(name: str, planted: Callable[[Path, str], Path] = lambda folder, name: folder / name) -> Change:
    """The part in two shards; the index calls the second `name`, and it lies where `planted` says."""

    def split(folder: Path, base: Base) -> None:
        found = load_file(base.weights(folder))
        base.weights(folder).unlink()
        keys = sorted(found)
        halves = {"a.safetensors": keys[::2], name: keys[1::2]}
        places = {"a.safetensors": folder / base.part / "a.safetensors", name: planted(folder / base.part, name)}
        for half, held in halves.items():
            places[half].parent.mkdir(exist_ok=True)
            save_file({key: found[key] for key in held}, places[half])
        where = {key: half for half, held in halves.items() for key in held}
        (folder / base.part / f"{FILE}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))

    return split


def alone(name: str, content: bytes) -> Change:
    """The part's weights under another name and of another content, and no others."""

    def put(folder: Path, base: Base) -> None:
        base.weights(folder).unlink()
        (folder / base.part / name).write_bytes(content)

    return put


def link(to: str) -> Change:
    return lambda folder, base: (folder / base.part / "notes.txt").symlink_to(to)


def pipe(folder: Path, base: Base) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("Windows has no named pipes in folders, so no checkpoint there can hold one")
    os.mkfifo(folder / base.part / "notes.txt")


def nothing(folder: Path, base: Base) -> None:
    """The twin of what is missing or broken: the whole."""


PICKLE = pickle.dumps(Planted())
CLEAN_PICKLE = pickle.dumps({"weights": [1.0, 2.0]})
GGUF = b"GGUF\x03\x00\x00\x00" + b"\xff" * 35
TEMPLATE = "{% for a in range(10**9) %}{% for b in range(10**9) %}x{% endfor %}{% endfor %}"
NESTED = "[" * 200_000
CASES: dict[str, Case] = {
    "a class of the standard library": Case(1, part_class(["os", "system"]), part_class(None), "allowed are"),
    "a module that runs when imported": Case(1, part_class(["planted", "Denoiser"]), part_class(None), "allowed are"),
    "a class that is a list": Case(1, part_class([["os"], ["system"]]), part_class(None), "allowed are"),
    "one part more, of another class": Case(1, index(helper=["os", "system"]), index(helper=[None, None]), "helper is .*allowed are none"),
    "a part in another checkpoint": Case(1, index(**{f"../lent/{name}": ["models", "Denoiser"] for name in ("unet", "denoiser")}), index(**{f"../lent/{name}": [None, None] for name in ("unet", "denoiser")}), "../lent/unet is .*allowed are none"),
    "a part of a name without end": Case(1, index(**{"x" * 300: ["models", "Denoiser"]}), index(**{"x" * 300: [None, None]}), "x is .*allowed are none"),
    "a pipeline that is a file": Case(1, index(_class_name=["pipeline", "Mine"]), nothing, "_class_name must be a text"),
    "a pipeline nobody knows": Case(1, index(_class_name="os.system"), nothing, "those that can are bundled"),
    "an index that is no JSON": Case(1, file("model_index.json", "{"), nothing, "is not JSON"),
    "an index that nests without end": Case(1, file("model_index.json", NESTED), nothing, "is not JSON"),
    "an index that is missing": Case(1, lambda f, b: (f / "model_index.json").unlink(), nothing, "cannot be read"),
    "a custom pipeline": Case(2, index(custom_pipeline="org/repo"), index(custom_pipeline=None), "custom_pipeline.*names code"),
    "remote code trusted": Case(2, config(trust_remote_code=True), config(trust_remote_code=False), "trust_remote_code.*names code"),
    "code": Case(3, file("{part}/model.PY", PAYLOAD), file("{part}/model.txt", PAYLOAD), "model.PY is code"),
    "code by reference": Case(3, config(auto_map={"AutoModel": "model.Mine"}), config(auto_mop={"AutoModel": "model.Mine"}), "auto_map.*names code"),
    "a tokenizer's code by reference": Case(3, file("tokenizer_config.json", '{"auto_map": {"AutoTokenizer": ["a.B", null]}}'), file("tokenizer_config.json", '{"auto_map": {}}'), "auto_map.*names code"),
    "a chat template": Case(3, file("chat_template.jinja", TEMPLATE), file("chat_template.txt", TEMPLATE), "is code"),
    "attention from a repository": Case(4, config(attn_implementation="org/repo"), config(attn_implementation="sdpa"), "attn_implementation.*names code"),
    "attention from a repository, inside": Case(4, config(vision={"_attn_implementation_internal": {"": "org/repo@main:fn"}}), config(vision={"_attn_implementation_internal": {"": "eager"}}), "names code"),
    "a pickle called safetensors": Case(5, content(lambda data: PICKLE), nothing, "is a pickle.*by its content"),
    "torch's zip called safetensors": Case(5, content(lambda data: b"PK\x03\x04" + PICKLE), nothing, "is a pickle"),
    "a pickle called SafeTensors": Case(5, alone("model.SafeTensors", PICKLE), file("{part}/model.SafeTensors", PICKLE), "is a pickle"),
    **{f"weights in {suffix}": Case(6, file(f"weights{suffix}", PICKLE), file(f"{{part}}/weights{suffix}", PICKLE), "may run code when loaded; convert it") for suffix in PICKLED},
    "an export inside of a part": Case(6, file("{part}/export/model.onnx", PICKLE), file("export/model.onnx", PICKLE), "may run code when loaded; convert it"),
    "an export of which the index makes a part": Case(6, both(file("safety_checker/model.bin", PICKLE), index(safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"])), both(file("safety_checker/model.bin", PICKLE), index(safety_checker=[None, None])), "is a pickle"),
    "a pickle called safetensors in a folder that is no part": Case(6, file("export/model.safetensors", PICKLE), file("export/model.bin", PICKLE), "is a pickle.*by its content"),
    "code in a folder that is no part": Case(3, file("export/model.py", PAYLOAD), file("export/model.txt", PAYLOAD), "is code"),
    "a pickle that every scanner calls clean": Case(7, file("weights.bin", CLEAN_PICKLE), file("weights.txt", "{'weights': [1.0, 2.0]}"), "may run code when loaded"),
    "a shard outside": Case(8, shards("../outside.safetensors", lambda f, n: f.parent / "outside.safetensors"), shards("b.safetensors"), "no plain file name"),
    "a shard in a folder": Case(8, shards("b/b.safetensors"), shards("b.safetensors"), "no plain file name"),
    "a shard that is hidden": Case(8, shards(".b.safetensors"), shards("b.safetensors"), "no plain file name"),
    "a shard that is no safetensors": Case(8, shards("b.bin"), shards("b.safetensors"), "may run code|no plain file name"),
    "a link that leads out": Case(9, link("/etc/hostname"), link(FILE), "links outside"),
    "a link to a folder outside": Case(9, link("/etc"), link("../" + "."), "links outside"),
    "a link in circles": Case(9, link("notes.txt"), link(FILE), "leads nowhere|links outside"),
    "a pipe": Case(9, pipe, nothing, "no plain file"),
    "a header without end": Case(10, content(lambda data: (2**40).to_bytes(8, "little") + b"{}"), nothing, "not a whole safetensors file"),
    "a header of 61 MB": Case(10, header(lambda told, tensor: json.dumps(told) + " " * 61_000_000), header(lambda told, tensor: json.dumps(told) + " " * 1000), "header of more than 16 MB"),
    "a header of a million values": Case(10, header(lambda told, tensor: json.dumps(told)[:-1] + ', "x": [' + "[]," * 10**6 + "0]}"), nothing, "more than 250000 values"),
    "20,001 tensors more": Case(10, header(lambda told, tensor: told.update(_extra(20_001))), header(lambda told, tensor: told.update(_extra(100))), "at most 20000", ("sd1",)),
    "a name twice": Case(10, header(twice), header(lambda told, tensor: None), "a name stands twice"),
    "a name that is a path": Case(10, header(lambda told, tensor: told.update({"../../x": told.pop(tensor)})), nothing, "no plain tensor name"),
    "tensors that overlap": Case(10, header(overlapping), nothing, "does not begin where"),
    "a shape without end": Case(10, header(lambda told, tensor: told[tensor].update(shape=[2**40, 2**40])), nothing, "room that its shape needs"),
    "bytes behind the last tensor": Case(10, header(lambda told, tensor: None, b"hidden"), header(lambda told, tensor: None), "not a whole safetensors file"),
    "half a file": Case(10, content(lambda data: data[: len(data) // 2]), nothing, "not a whole safetensors file"),
    "an empty file": Case(10, content(lambda data: b""), nothing, "not a whole safetensors file"),
    "a size without bounds": Case(11, config(cross_attention_dim=10**9, token_width=10**9), nothing, "at most"),
    "a size of many gigabytes": Case(11, config(cross_attention_dim=10**6, slow_size=1, widths=[4096, 4096, 4096]), nothing, "does not fit its config.json"),
    "layers without end": Case(11, config(layers_per_block=10**6, blocks=[10**6] * 5), nothing, "at most 128"),
    "layers in layers": Case(11, config(layers_per_block=64, transformer_layers_per_block=32), nothing, "asks for 4096 layers", ("sd1",)),
    "layers in layers, made up for": Case(11, config(layers_per_block=64, transformer_layers_per_block=32, odd_blocks=[-128] * 1000), nothing, "at most 256", ("sd1",)),
    "a tensor that is missing": Case(11, tensors(lambda held, name: held.pop(name)), tensors(lambda held, name: None), "is missing"),
    "a tensor too many": Case(11, tensors(lambda held, name: held.update(extra=torch.zeros(1))), tensors(lambda held, name: None), "extra does not belong"),
    "a tensor too many, but known": Case(11, tensors(lambda held, name: held.update({"x.position_id": torch.arange(3)})), tensors(lambda held, name: held.update({"x.position_ids": torch.arange(3)})), "does not belong", ("sd1",)),
    "a tensor of another shape": Case(11, tensors(lambda held, name: held.update({name: torch.zeros(3)})), tensors(lambda held, name: held.update({name: torch.zeros_like(held[name])})), "wanted .* of floats"),
    "a tensor of whole numbers": Case(11, tensors(lambda held, name: held.update({name: held[name].int()})), tensors(lambda held, name: held.update({name: held[name].double()})), "wanted .* of floats"),
    "a setting that is no number": Case(11, config(palette_size="19"), config(palette_size=19), "whole numbers up to", ("bundled",)),
    "settings that do not go together": Case(11, config(block_out_channels=[32, -32]), config(block_out_channels=[32, 32]), "nothing that can be built", ("sd1",)),
    "a part that is missing": Case(11, lambda f, b: (f / b.part / "config.json").unlink(), nothing, "cannot be read"),
    "a number that is none": Case(12, tensors(lambda held, name: held[name].fill_(float("nan"))), tensors(lambda held, name: held[name].fill_(0)), "not finite"),
    "a number without end": Case(12, tensors(lambda held, name: held[name].fill_(float("inf"))), tensors(lambda held, name: held[name].fill_(0)), "not finite"),
    "GGUF": Case(14, file("model.gguf", GGUF), file("{part}/model.gguf", GGUF), "is GGUF"),
    "GGUF called safetensors": Case(14, content(lambda data: GGUF), nothing, "is GGUF.*by its content"),
}  # fmt: skip


def _extra(count: int) -> dict[str, Any]:
    return {f"model_ema.x{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(count)}
