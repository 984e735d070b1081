"""LoRAs on a checkpoint: fitted layer by layer before any of them is taken in, then weighed while it paints.

diffusers and peft convert the names and put the matrices in. What they would pass over with a warning (a layer that is not
there, one of another shape) is refused here first: half a LoRA paints something nobody asked for. Two things the library
makes otherwise of sd-scripts' files than these say, so they are done here. Where alphas differ within a network, it takes the most
common one for nearly all layers, because it looks for the others under names that no layer has: they are multiplied in as a
file is read. And of a text encoder it takes q, k and v only where some `out_proj` is changed too: those are handed to peft directly.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
from diffusers.utils.state_dict_utils import (
    StateDictType,
    convert_state_dict_to_peft,
    convert_unet_state_dict_to_peft,
)
from peft import LoraConfig, inject_adapter_in_model, set_peft_model_state_dict
from torch import Tensor, nn

from engine.errors import CheckpointError
from engine.painter import LoraInfo, PainterSpec
from engine.paths import path_said
from models.families import Family
from models.findings import Findings
from models.limits import limited_memory
from models.loras.reading import LoraFile, read_lora
from models.loras.samplers import Sampler, fast_sampler, sampled

HALF = re.compile(r"(?P<layer>.+)\.lora_(?P<side>[AB])\.weight")


class Loras:
    """What a pipeline wears. infos: name, SHA-256 and weight of each, as they are now; sampler: what they or the user asked for."""

    def __init__(self, pipeline: Any, infos: Sequence[LoraInfo] = (), sampler: Sampler | None = None) -> None:
        self.infos, self.sampler = tuple(infos), sampler
        self._pipeline = pipeline
        if self.infos:
            self._set()

    def weigh(self, weights: Sequence[tuple[str, float]]) -> bool:
        """Take over the weights of those that are worn, by name; whether any is another than before."""
        told = dict(weights)
        infos = tuple(replace(info, weight=float(told.get(info.name, info.weight))) for info in self.infos)
        if infos == self.infos:
            return False
        self.infos = infos
        self._set()
        return True

    def _set(self) -> None:
        self._pipeline.set_adapters([slot_of(i) for i in range(len(self.infos))], [info.weight for info in self.infos])


def takes_loras(family: Family) -> bool:
    """Whether the family's stock pipeline has a way to put one in."""
    pipeline = getattr(diffusers, family.pipeline)
    denoisers = [getattr(diffusers, name) for part in ("unet", "transformer") for _, name in family.components.get(part, ())]
    ways = [bool(getattr(pipeline, "_lora_loadable_modules", None)), hasattr(pipeline, "load_lora_weights")]
    return all(ways) and all(hasattr(denoiser, "load_lora_adapter") for denoiser in denoisers)  # Kandinsky 3's pipeline has one, its U-Net none


def worn(pipeline: Any, family: Family, spec: PainterSpec) -> tuple[Loras, Family]:
    """Put the LoRAs of `spec` on the pipeline. The family's row comes back as they make it: its steps and guidance may
    be another's. Raises CheckpointError where one is not sound, does not fit, or is there twice."""
    files = read_loras(spec)
    known: dict[str, Path] = {}
    for file in files:
        if (other := known.setdefault(file.sha256, file.path)) is not file.path:
            raise CheckpointError(f"{file.path} is the same LoRA as {other}; give it once, with the weight of both")
    layers = [fitted(pipeline, family, file) for file in files]
    for i, (file, expected) in enumerate(zip(files, layers, strict=True)):
        with limited_memory(file.path):
            _put_in(pipeline, family, file, slot_of(i), expected)
    infos = [LoraInfo(name, file.sha256, weight) for (name, weight), file in zip(spec.weights, files, strict=True)]
    counting = [file.hints for file, info in zip(files, infos, strict=True) if info.weight]
    sampler = fast_sampler(spec.sampler, counting, family)
    return Loras(pipeline, infos, sampler), sampled(pipeline, family, sampler)


def read_loras(spec: PainterSpec) -> list[LoraFile]:
    files = []
    for path in (path_said(path, CheckpointError) for path, _ in spec.loras):
        with limited_memory(path):
            files.append(read_lora(path))
    return files


def fitted(pipeline: Any, family: Family, lora: LoraFile, findings: Findings | None = None) -> set[str]:
    """The layers of the pipeline, by component and name, that a LoRA changes, known to be of its shapes.

    Raises CheckpointError for one that was made for something else.
    """
    findings = findings if findings is not None else Findings()
    if not takes_loras(family):
        raise CheckpointError(f"{family.title} takes no LoRAs: its pipeline has no way to put one in; leave --lora out")
    parts = pipeline._lora_loadable_modules
    with findings.row("family"):
        try:
            halves = _halves(pipeline, lora.tensors)
        except Exception as error:  # in whatever words: of names that are another family's
            raise _misfit(lora, family, f"its names are another family's ({_short(error)})") from error
        layers: set[str] = set()
        for name, half in halves.items():
            shape = tuple(half.shape)
            found = HALF.fullmatch(name)
            component, _, layer = (found["layer"] if found else name).partition(".")
            if found is None or component not in parts or (changed := _layer(getattr(pipeline, component, None), layer)) is None:
                raise _misfit(lora, family, f"there is no {name[:120]}")
            wanted = changed.shape[1:] if found["side"] == "A" else changed.shape[:1]
            if (shape[1:] if found["side"] == "A" else shape[:1]) != tuple(wanted):
                raise _misfit(lora, family, f"{layer} is {tuple(changed.shape)} here, its halves are for {shape}")
            layers.add(f"{component}.{layer}")
        if 2 * len(layers) != len(halves) or len(layers) < len(lora.pairs):
            raise CheckpointError(f"{lora.path} changes a layer under two names; get a clean copy")
        findings.tell("family", f"fits {family.name}")
    return layers


def _misfit(lora: LoraFile, family: Family, why: str) -> CheckpointError:
    made_for = f"is for {lora.origin}" if lora.origin else "is for another family"
    return CheckpointError(f"{lora.path} {made_for} and does not fit this checkpoint of {family.title}: {why}; give a LoRA made for it")


def _halves(pipeline: Any, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """By peft's names, component first, as the library converts them when it loads."""
    wide = {"unet_config": pipeline.unet.config} if hasattr(pipeline, "unet") and hasattr(pipeline, "text_encoder_2") else {}
    converted = pipeline.lora_state_dict(dict(tensors), **wide)
    converted = converted[0] if isinstance(converted, tuple) else converted
    halves: dict[str, Tensor] = {}
    for component in {name.partition(".")[0] for name in converted}:
        own = _of(component, converted)
        if component.startswith("text_encoder"):
            for spelling in (StateDictType.DIFFUSERS_OLD, StateDictType.DIFFUSERS):
                own = convert_state_dict_to_peft(own, spelling)
            if not hasattr(getattr(pipeline, component, None), "text_model"):
                own = {name.removeprefix("text_model."): tensor for name, tensor in own.items()}
        elif not any("lora_A" in name for name in own):
            own = convert_unet_state_dict_to_peft(own)
        halves |= {f"{component}.{name}": tensor for name, tensor in own.items()}
    return halves


def _layer(network: Any, name: str) -> Tensor | None:
    """The weight of a layer that can be changed; None where there is none of that name."""
    try:
        layer = network.get_submodule(name)
    except AttributeError:
        return None
    layer = getattr(layer, "base_layer", layer)
    return layer.weight if isinstance(layer, (nn.Linear, nn.Conv2d)) else None


def _put_in(pipeline: Any, family: Family, lora: LoraFile, slot: str, expected: set[str]) -> None:
    """Have the library load it, and see that it took in all of it."""
    halves = _halves(pipeline, lora.tensors)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there is one already is meant
            for component in ("text_encoder", "text_encoder_2"):
                _put_in_words(getattr(pipeline, component, None), _of(component, halves), slot)
            if pictures := {name: half for name, half in halves.items() if not name.startswith("text_encoder")}:
                pipeline.load_lora_weights(pictures, adapter_name=slot)
    except MemoryError:
        raise
    except Exception as error:
        raise _misfit(lora, family, _short(error)) from error
    if others := taken(pipeline, slot) ^ expected:
        raise CheckpointError(f"{lora.path} was not taken in whole: {sorted(others)[0]} among {len(others)} layers; get a clean copy")


def taken(pipeline: Any, slot: str) -> set[str]:
    """The layers that the LoRA in a slot changes, by component and name."""
    return {
        f"{component}.{name}"
        for component in pipeline._lora_loadable_modules if isinstance(network := getattr(pipeline, component, None), nn.Module)
        for name, module in network.named_modules() if slot in getattr(module, "lora_A", {})
    }  # fmt: skip


def _put_in_words(encoder: Any, halves: Mapping[str, Tensor], slot: str) -> None:
    """halves: of one text encoder, by peft's names."""
    if not halves:
        return
    ranks = {found["layer"]: half.shape[0] for name, half in halves.items() if (found := HALF.fullmatch(name)) and found["side"] == "A"}
    config = LoraConfig(target_modules=[*ranks], rank_pattern=ranks, alpha_pattern=dict(ranks))
    inject_adapter_in_model(config, encoder, slot)
    set_peft_model_state_dict(encoder, dict(halves), slot)


def _of(component: str, halves: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(f"{component}."): half for name, half in halves.items() if name.startswith(f"{component}.")}


def slot_of(index: int) -> str:
    return f"lora_{index}"


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
