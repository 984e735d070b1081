"""What reads a checkpoint's files, given sound files that were changed at random.

Whatever an input holds, the answer must be what it says or a CheckpointError: in LONGEST_S, in MOST_BYTES, without a
crash. Inputs that are refused in a new way are kept and changed further.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import struct
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from engine.errors import CheckpointError
from models.autoencoders import autoencoder
from models.configs import bounded, known
from models.context_encoder import ContextEncoder
from models.controlnets import controlnet, misfit
from models.denoiser import Denoiser
from models.findings import Findings
from models.gguf_file import open_gguf
from models.loading import checked_config
from models.loose import text_encoder
from models.loras.reading import read_lora
from models.places import Found
from models.plain_files import read_json
from models.prompted.opening import recognised, settings_of, tokenizer_of
from models.safetensors_file import open_safetensors
from models.sizes import sizes_of
from models.survey import survey
from models.weight_files import shards_of
from tests.bounds import alarmed

LONGEST_S = 2.0  # of the processor's time
HUNG_S = 60.0  # by the clock on the wall, however busy the machine is
MOST_BYTES = 256 * 2**20
LARGEST = 18 * 2**20  # bytes of one input
TOKENS: tuple[bytes, ...] = (
    b"[", b"]", b"{", b"}", b",", b":", b'"', b"\\", b"\\u0000", b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-1",
    b"0.5", b"9" * 400, b"9" * 5000, b"9223372036854775808", b'"__metadata__"', b'"../../x"', b'"org/repo"', b'"auto_map"',
    b'"attn_implementation"', b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xf0\x9f\x98\x80", b"[" * 2000, b'{"a":' * 2000,
)  # fmt: skip
ODD: tuple[Any, ...] = (None, True, -1, 0, 1, 2**31, 2**63, 10**30, 0.5, 1e308, "", "x" * 2000, "../x", [], {}, [[]], ["os", "system"], [1] * 2000)


class Target(NamedTuple):
    """read: reads an input that was put into a folder; seeds: sound inputs."""

    read: Callable[[bytes, Path], object]
    seeds: tuple[bytes, ...]


def read_header(data: bytes, folder: Path) -> None:
    """As a whole safetensors file."""
    path = folder / "model.safetensors"
    path.write_bytes(data)
    with open_safetensors(path, 2**30) as file:
        for name, tensor in file.tensors(hashlib.sha256()):
            if tensor is not None and tuple(tensor.shape) != file.entries[name].shape:
                raise AssertionError(f"{name} has another shape than its header says")


def read_index(data: bytes, folder: Path) -> None:
    """As a folder's index, up to the settings of its parts, which are not there."""
    (folder / "model_index.json").write_bytes(data)
    recognised(survey(folder))


def read_shards(data: bytes, folder: Path) -> None:
    """As an index of shards. A shard that is found lies beside it."""
    path = folder / "model.safetensors.index.json"
    path.write_bytes(data)
    (folder / "a.safetensors").touch()
    if any(shard.parent != folder for shard in shards_of(path)):
        raise AssertionError("a shard lies outside")


def read_config(data: bytes, folder: Path) -> None:
    """As settings of either kind of family."""
    path = folder / "config.json"
    path.write_bytes(data)
    known(bounded(read_json(path), path), Denoiser, path, Findings())
    for network in (Denoiser, ContextEncoder):
        checked_config(path, network, Findings())


def read_tables(data: bytes, folder: Path) -> None:
    """As a tokenizer's words, and as its merges."""
    (folder / "vocab.json").write_bytes(data)
    (folder / "merges.txt").write_bytes(data[:1000])
    tokenizer_of(folder)


def read_gguf(data: bytes, folder: Path) -> None:
    """As a whole GGUF file, up to the tensors' places."""
    path = folder / "model.gguf"
    path.write_bytes(data)
    with open_gguf(path, 2**30) as file:
        if any(entry.end > len(data) for entry in file.entries.values()):
            raise AssertionError("a tensor lies behind the file")


def gguf(lines: list[tuple[str, tuple[int, ...], int, int, bytes]], values: list[tuple[bytes, int, bytes]] | None = None) -> bytes:
    """A GGUF file, written by hand. lines: of each tensor the name, shape, kind, place and bytes; values: key, kind, bytes."""
    out = b"GGUF" + struct.pack("<IQQ", 3, len(lines), len(values or ()))
    for key, kind, value in values or ():
        out += struct.pack("<Q", len(key)) + key + struct.pack("<I", kind) + value
    for name, shape, kind, start, _ in lines:
        out += struct.pack("<Q", len(name)) + name.encode() + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape[::-1], kind, start)
    tensors = bytearray()
    for *_, start, data in lines:
        tensors = tensors.ljust(start, b"\0")
        tensors[start : start + len(data)] = data
    return out + bytes(-len(out) % 32) + bytes(tensors)


def read_as_lora(data: bytes, folder: Path) -> None:
    """As a LoRA's file."""
    path = folder / "lora.safetensors"
    path.write_bytes(data)
    lora = read_lora(path)
    if not all(torch.isfinite(tensor).all() for tensor in lora.tensors.values()):
        raise AssertionError("a number that is none was let in")


def read_autoencoder(data: bytes, folder: Path) -> None:
    """As an autoencoder that lies alone, or as half of one, by its header; the other half is the same."""
    for name in ("taesd_encoder", "taesd_decoder"):
        (folder / f"{name}.safetensors").write_bytes(data)
    autoencoder(folder / "taesd_encoder.safetensors")


def read_controlnet(data: bytes, folder: Path) -> None:
    """As a ControlNet that lies alone, by its header, with the settings that it tells."""
    (folder / "canny.safetensors").write_bytes(data)
    misfit(settings_of(controlnet(folder / "canny.safetensors"), {}), {})


def read_text_encoder(data: bytes, folder: Path) -> None:
    """As a text encoder that lies alone, by its header."""
    (folder / "t5.safetensors").write_bytes(data)
    text_encoder(folder / "t5.safetensors")


def read_whole(data: bytes, folder: Path) -> None:
    """As a checkpoint in one file, by its header, as lists tell of it."""
    path = folder / "dream.safetensors"
    path.write_bytes(data)
    sizes_of(Found(path.name, path, "checkpoint"))


def _file(header: dict[str, Any], count: int) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(count)


_PARTS = {"unet": "diffusers.UNet2DConditionModel", "vae": "diffusers.AutoencoderKL", "scheduler": "diffusers.DDIMScheduler",
          "text_encoder": "transformers.CLIPTextModel", "tokenizer": "transformers.CLIPTokenizer"}  # fmt: skip
_ALONE = (
    _file({"encoder.conv_in.weight": {"dtype": "F16", "shape": [1, 3, 1, 1], "data_offsets": [0, 6]}, "encoder.down.0.block.0.norm1.weight": {"dtype": "F16", "shape": [1], "data_offsets": [6, 8]},
           "decoder.conv_in.weight": {"dtype": "F16", "shape": [1, 4, 1, 1], "data_offsets": [8, 16]}}, 16),
    _file({"0.weight": {"dtype": "F8_E4M3", "shape": [1, 3, 3, 3], "data_offsets": [0, 27]}}, 27),
    _file({"1.weight": {"dtype": "F8_E4M3", "shape": [1, 4, 1, 1], "data_offsets": [0, 4]}, "3.conv.0.weight": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [4, 5]}}, 5),
    _file({"shared.weight": {"dtype": "F16", "shape": [1, 2], "data_offsets": [0, 4]}, "encoder.block.0.x.weight": {"dtype": "F16", "shape": [1], "data_offsets": [4, 6]}}, 6),
    _file({"text_model.embeddings.token_embedding.weight": {"dtype": "F16", "shape": [1, 2], "data_offsets": [0, 4]}, "text_model.encoder.x": {"dtype": "F16", "shape": [1], "data_offsets": [4, 6]}}, 6),
    _file({"model.diffusion_model.input_blocks.0.0.weight": {"dtype": "F16", "shape": [1, 4, 1, 1], "data_offsets": [0, 8]}, "first_stage_model.a": {"dtype": "F16", "shape": [1], "data_offsets": [8, 10]},
           "cond_stage_model.transformer.b": {"dtype": "F16", "shape": [1], "data_offsets": [10, 12]}}, 12),
    _file({"model.embed_tokens.weight": {"dtype": "F8_E4M3", "shape": [1, 2], "data_offsets": [0, 2]}, "model.layers.0.self_attn.q_norm.weight": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [2, 3]}}, 3),
    _file({"token_embedding.weight": {"dtype": "F8_E4M3", "shape": [1, 2], "data_offsets": [0, 2]}, "transformer.resblocks.0.ln_1.bias": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [2, 3]}}, 3),
    gguf([("token_embd.weight", (1, 32), 8, 0, bytes(34)), ("enc.blk.0.attn_q.weight", (1,), 0, 64, bytes(4))]),
    _file({"single_stream_modulation.lin.weight": {"dtype": "F8_E4M3", "shape": [], "data_offsets": [0, 1]}, "txt_in.weight": {"dtype": "F8_E4M3", "shape": [], "data_offsets": [1, 2]}}, 2),
)  # a file's worth of names and shapes
TARGETS: dict[str, Target] = {
    "header": Target(read_header, (
        _file({"__metadata__": {"format": "pt"}, "a.weight": {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]},
               "b": {"dtype": "F32", "shape": [], "data_offsets": [12, 16]}}, 16),
        _file({}, 0),
    )),
    "lora": Target(read_as_lora, (
        _file({"__metadata__": {"lora_adapter_metadata": '{"unet.lora_alpha": 2, "unet.alpha_pattern": {"to_q": 1}}', "ss_base_model_version": "sdxl"},
               "unet.attn2.to_q.lora_A.weight": {"dtype": "F16", "shape": [1, 3], "data_offsets": [0, 6]},
               "unet.attn2.to_q.lora_B.weight": {"dtype": "F16", "shape": [3, 1], "data_offsets": [6, 12]}}, 12),
        _file({"lora_te_x.alpha": {"dtype": "I64", "shape": [], "data_offsets": [0, 8]},
               "lora_te_x.lora_down.weight": {"dtype": "F32", "shape": [1, 2], "data_offsets": [8, 16]},
               "lora_te_x.lora_up.weight": {"dtype": "F32", "shape": [2, 1], "data_offsets": [16, 24]}}, 24),
    )),
    "autoencoder": Target(read_autoencoder, _ALONE),
    "controlnet": Target(read_controlnet, (
        _file({"control_model.input_hint_block.0.weight": {"dtype": "F8_E4M3", "shape": [1, 3], "data_offsets": [0, 3]}, "control_model.input_blocks.1.0.in_layers.2.weight": {"dtype": "F8_E4M3", "shape": [2, 1], "data_offsets": [3, 5]},
               "control_model.time_embed.0.weight": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [5, 6]}, "control_model.input_blocks.1.1.norm.weight": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [6, 7]}}, 7),
        _file({"controlnet_cond_embedding.conv_in.weight": {"dtype": "F16", "shape": [1, 3], "data_offsets": [0, 6]}, "down_blocks.0.resnets.0.conv1.weight": {"dtype": "F16", "shape": [1], "data_offsets": [6, 8]},
               "time_embedding.linear_1.weight": {"dtype": "F16", "shape": [1], "data_offsets": [8, 10]}, "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight": {"dtype": "F16", "shape": [1, 1], "data_offsets": [10, 12]}}, 12),
    )),
    "text encoder": Target(read_text_encoder, _ALONE),
    "one file": Target(read_whole, _ALONE),
    "index": Target(read_index, (
        json.dumps({"_class_name": "StableDiffusionPipeline", "safety_checker": [None, None],
                    **{part: cls.split(".") for part, cls in _PARTS.items()}}).encode(),
        json.dumps({"_class_name": "PixelOSPipeline", "denoiser": ["models", "Denoiser"]}).encode(),
    )),
    "shards": Target(read_shards, (json.dumps({"metadata": {"total_size": 4}, "weight_map": {"a": "a.safetensors"}}).encode(),)),
    "config": Target(read_config, (
        json.dumps({"_class_name": "Denoiser", "widths": [8, 16, 16], "blocks": [1, 1, 1, 1, 1], "palette_size": 19}).encode(),
        json.dumps({"_class_name": "ContextEncoder", "slow_size": 101, "down_block_types": ["A", "B"], "layers_per_block": 2}).encode(),
    )),
    "gguf": Target(read_gguf, (
        gguf([("a.weight", (2, 32), 8, 0, bytes(68)), ("b.bias", (2,), 0, 96, bytes(8))],
             [(b"general.architecture", 8, struct.pack("<Q", 4) + b"flux"), (b"general.alignment", 4, struct.pack("<I", 32)),
              (b"list", 9, struct.pack("<IQ", 4, 2) + bytes(8))]),
        gguf([]),
    )),
    "tables": Target(read_tables, (json.dumps({"a": 0, "b</w>": 1, "ab</w>": 2, "<|startoftext|>": 3, "<|endoftext|>": 4}).encode(),)),
}  # fmt: skip


def outcome(target: Target, data: bytes) -> str:
    """What reading one input came to: "sound", or the refusal without its names and numbers.

    Raises whatever is no CheckpointError, and AssertionError for an input that took too long, too much or hung.
    """
    said, took, peak = _measured(target, data)
    if took > LONGEST_S or peak > MOST_BYTES:  # the meters count what other threads of this process do, too: it must come again
        said, took, peak = _measured(target, data)
    if took > LONGEST_S or peak > MOST_BYTES:
        raise AssertionError(f"took {took:.1f} s and {peak >> 20} MB: {said}")
    return said


def _measured(target: Target, data: bytes) -> tuple[str, float, int]:
    """What it came to, seconds of processor time, and bytes at the most."""
    with tempfile.TemporaryDirectory() as home:
        tracemalloc.start()
        begun = time.process_time()  # of this process alone: others may keep the machine busy
        try:
            with alarmed(HUNG_S):
                target.read(data, Path(home))
            said = "sound"
        except CheckpointError as error:
            said = re.sub(r"\d+|'[^']*'", "_", str(error).replace(home, ""))
        finally:
            took, (_, peak) = time.process_time() - begun, tracemalloc.get_traced_memory()
            tracemalloc.stop()
    return said, took, peak


def changed(data: bytes, chance: random.Random) -> bytes:
    """An input, a little or very much otherwise."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        data = chance.choice((_bytes, _token, _piece, _value, _value))(data, chance)
    if chance.random() < 0.005:
        piece = data[chance.randrange(len(data) + 1) :][: chance.randrange(1, 40)] or b"[]"
        at = chance.randrange(len(data) + 1)
        data = data[:at] + piece * (chance.randrange(LARGEST) // len(piece)) + data[at:]
    if chance.random() < 0.5:  # so that what lies behind the length is looked at
        data = max(len(data) - 8 - chance.choice((0, 16)), 0).to_bytes(8, "little") + data[8:]
    return data[:LARGEST]


def _bytes(data: bytes, chance: random.Random) -> bytes:
    out = bytearray(data or b"{")
    for _ in range(chance.randrange(1, 4)):
        out[chance.randrange(len(out))] = chance.randrange(256)
    return bytes(out)


def _token(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(TOKENS) + data[at + chance.choice((0, 0, 1, 8)) :]


def _piece(data: bytes, chance: random.Random) -> bytes:
    a, b = sorted((chance.randrange(len(data) + 1), chance.randrange(len(data) + 1)))
    return data[:a] + data[b:] if chance.random() < 0.5 else data[:b] + data[a:]


def _value(data: bytes, chance: random.Random) -> bytes:
    """JSON with one value exchanged, where it is JSON; with the head of a header kept in front."""
    head = b"" if data[:1] in b"{[" else data[:8]
    try:
        told, rest = json.JSONDecoder().raw_decode(data[len(head) :].decode("latin-1"))
        tail = data[len(head) + rest :]
        at: Any = told
        while isinstance(at, (dict, list)) and at:
            place = chance.choice(list(at) if isinstance(at, dict) else range(len(at)))
            if not isinstance(at[place], (dict, list)) or chance.random() < 0.3:
                at[place] = chance.choice(ODD)
                break
            at = at[place]
        text = json.dumps(told).encode()
    except (ValueError, RecursionError):
        return data
    return (len(text).to_bytes(8, "little") if head else b"") + text + tail


class Fuzzed(NamedTuple):
    """How many inputs were read, the outcomes by target, and what broke the rules."""

    inputs: int
    outcomes: dict[str, set[str]]
    broken: list[str]


def fuzz(seconds: float, seed: int, out: Path | None = None) -> Fuzzed:
    """Change and read until the time is up. out: a folder for the inputs that broke the rules."""
    chance, count, broken = random.Random(seed), 0, list[str]()
    corpus = {name: list(target.seeds) for name, target in TARGETS.items()}
    outcomes = {name: {outcome(target, data) for data in target.seeds} for name, target in TARGETS.items()}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        name = chance.choice(list(TARGETS))
        data, count = changed(chance.choice(corpus[name]), chance), count + 1
        try:
            said = outcome(TARGETS[name], data)
        except Exception as error:  # noqa: BLE001
            broken.append(f"{name}: {type(error).__name__}: {error}")
            if out is not None:
                out.mkdir(parents=True, exist_ok=True)
                (out / f"{name}-{hashlib.sha256(data).hexdigest()[:16]}").write_bytes(data)
            continue
        if said not in outcomes[name] and len(data) < 2**16:
            corpus[name].append(data)
        outcomes[name].add(said)
    return Fuzzed(count, outcomes, broken)
