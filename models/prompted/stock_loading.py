"""The stock pipeline by the library's own loading, of a checkpoint that passed our check: what our loading is held to.

Nothing but that check stands between the files and the library here, so only those that were painted with come so far. Pickles are never
read, nothing is asked of a hub, and no code of a checkpoint's is run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import diffusers
import torch
from safetensors.torch import load_file

from engine.errors import CheckpointError
from engine.painter import PainterSpec
from models.catalog import control_of, resolve
from models.controlnets import ControlNet
from models.facts import free_on
from models.families import Family
from models.findings import Findings
from models.layout import Layout, clip_tables, tables_of
from models.loras.reading import LoraFile
from models.loras.samplers import sampled
from models.loras.wearing import Loras, fitted, read_loras, slot_of, taken
from models.prompted.opening import OPEN, unused
from models.single_file import contents_of
from models.survey import INDEX
from models.weight_files import files_of, opened_file
from models.whole import CONFIG

if TYPE_CHECKING:
    from models.prompted.painter import PromptedPainter

FILE = ".safetensors"  # whatever is called otherwise the library takes for a pickle
HALF = ".fp16."  # in the name of weights that the library calls a variant


class Stock(NamedTuple):
    """A stock pipeline. loaded_by: "the library", with what of it was not, or "us" and why."""

    pipeline: Any
    loaded_by: str


def stock_of(painter: PromptedPainter, spec: PainterSpec) -> Stock:
    """Of the checkpoint that `painter`, opened by `spec`, paints with: on its device, in its number format. Where the library cannot load
    what paints, it is made of the networks that we opened."""
    if why := _ours_alone(painter, spec):
        return Stock(painter.pipeline, f"us: {why}")
    path = resolve(spec.checkpoint, spec.profile)
    try:
        how: dict[str, Any] = {"torch_dtype": painter.placement.dtype}
        if (control := control_of(spec)) is not None:
            how |= {control.part: library_controlnet(control, painter.pipeline.controlnet.config, **how)}
        pipeline = (library_folder if path.is_dir() else library_file)(path, painter.family, **how)
        pipeline.to(painter.placement.device)
        if painter.loras is not None:
            sampled(pipeline, painter.family, painter.loras.sampler)
            library_loras(pipeline, painter.family, read_loras(spec))
            Loras(pipeline, painter.loras.infos)
    except _Lacking as error:
        return Stock(painter.pipeline, f"us: {error}")
    except NotImplementedError:  # torch's word for a network that stayed without weights
        return Stock(painter.pipeline, "us: the library does not find all that its networks need in it")
    except Exception as error:  # noqa: BLE001 - whatever a library raises; where it lies is nobody's business
        return Stock(painter.pipeline, f"us: the library does not open it ({type(error).__name__})")
    if painter.coder:
        pipeline.vae = painter.pipeline.vae
    return Stock(pipeline, f"the library, but for the autoencoder {painter.coder}" if painter.coder else "the library")


class _Lacking(CheckpointError):
    """A file that the library cannot be given."""


def library_folder(folder: Path, family: Family, **settings: Any) -> Any:
    """Of a diffusers folder: with the library's tokenizers, scheduler and spelling of tensors. One that holds the parts where the stock
    pipeline has no place for them all; `stock_frame` puts the stock one together of those. settings: of the library's loading."""
    cls = _class(family)
    found = cls.from_pretrained(folder, **_there(files_of(folder / "unet", OPEN)), **unused(cls, {}), **settings)
    found.set_progress_bar_config(disable=True)
    return found


def library_file(path: Path, family: Family, **settings: Any) -> Any:
    """Of a file that holds all parts, with the settings and words that ship here; the rest as of `library_folder`."""
    _named_right(path)
    with opened_file(path) as file:
        told = contents_of(file, Findings()).layout
    if told is None:
        raise _Lacking("the file lacks parts that lie elsewhere")
    cls = _class(family)
    with TemporaryDirectory(prefix="pixelos-layout-") as home:
        _written_out(told, Path(home))
        found = cls.from_single_file(str(path), config=home, local_files_only=True, **unused(cls, {}), **settings)
    found.set_progress_bar_config(disable=True)
    return found


def library_controlnet(control: ControlNet, config: Mapping[str, Any], **settings: Any) -> Any:
    """A ControlNet that lies alone. config: its settings, which a file does not say; the rest as of `library_folder`."""
    if control.place.is_dir():
        return diffusers.ControlNetModel.from_pretrained(control.place, **_there([control.path]), **settings)
    _named_right(control.path)
    with TemporaryDirectory(prefix="pixelos-layout-") as home:
        (Path(home) / CONFIG).write_text(json.dumps({**config}))
        return diffusers.ControlNetModel.from_single_file(str(control.path), config=home, local_files_only=True, **settings)


def library_loras(pipeline: Any, family: Family, loras: Sequence[LoraFile]) -> None:
    """Put LoRAs on a stock pipeline, by the library's own reading of their tensors; what their headers say never reaches it. Raises _Lacking
    for one of which the library makes something else than it says: see `models.loras.wearing`."""
    for i, lora in enumerate(loras):
        if not lora.even:
            raise _Lacking("a LoRA has several alphas or tells its scale in its header, and the library would scale it otherwise")
        expected = fitted(pipeline, family, lora)
        pipeline.load_lora_weights(load_file(lora.path), adapter_name=slot_of(i))
        if taken(pipeline, slot_of(i)) != expected:
            raise _Lacking("the library leaves out layers of a LoRA")


def _there(weights: Sequence[Path]) -> dict[str, Any]:
    """How the library is to load a folder: what lies there, no pickles, and a network's weights as they are called."""
    half = any(HALF in file.name for file in weights)
    return {"local_files_only": True, "use_safetensors": True, "variant": "fp16" if half else None}


def _named_right(path: Path) -> None:
    if path.suffix != FILE:
        raise _Lacking(f"of single files the library is given those that end with {FILE}")


def _networks(pipeline: Any) -> list[torch.nn.Module]:
    return [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]


def _class(family: Family) -> Any:
    return getattr(diffusers, family.holder or family.pipeline)


def _ours_alone(painter: PromptedPainter, spec: PainterSpec) -> str:
    """Why what the library loads would not be what paints; "" where it would."""
    if painter.placement.plan.packed or painter.placement.plan.dtype == "int8":
        return "weights lie in fewer bits here than in the files"
    held = sum(tensor.nbytes for part in _networks(painter.pipeline) for tensor in part.parameters())
    return "there is no memory for its weights twice" if held > free_on(str(painter.placement.device))[1] else ""


def _written_out(told: Layout, home: Path) -> None:
    """A layout as the diffusers folder that it tells of, without weights."""
    (home / INDEX).write_text(json.dumps(told["model_index"]))
    for part, settings in told.items():
        folder = home / part
        if part == "model_index":
            continue
        folder.mkdir()
        if (tables := tables_of(settings)) is None:
            (folder / ("scheduler_config.json" if part == "scheduler" else "config.json")).write_text(json.dumps(settings))
            continue
        vocabulary, merges = clip_tables(tables)
        (folder / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")
        (folder / "merges.txt").write_text("\n".join(merges), "utf-8")
        padding = {key: value for key, value in settings.items() if key == "pad_token"}
        (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, **padding}))
