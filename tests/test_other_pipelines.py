"""Every pipeline of the installed diffusers that takes words and a picture: a row, or refused with a reason."""

from __future__ import annotations

import inspect
import re

import diffusers
import pytest

from engine.errors import CheckpointError
from models.elsewhere import ELSEWHERE
from models.families import FAMILIES, family_of

ROWS = {index for row in FAMILIES for index in row.indexes}
FILMS = {"num_frames", "num_videos_per_prompt", "frames_per_batch", "video", "video_length"}  # what only pipelines of films take


def asked_for(name: str) -> set[str]:
    """What a pipeline is called with; of what is no pipeline, or lacks a library that is not installed, nothing."""
    cls = getattr(diffusers, name, None)
    if not inspect.isclass(cls) or not issubclass(cls, diffusers.DiffusionPipeline):
        return set()
    return set(inspect.signature(cls.__call__).parameters)


def test_every_pipeline_that_takes_words_and_a_picture_is_a_row_or_refused_with_a_reason() -> None:
    every = {name: asked_for(name) for name in dir(diffusers)}
    editing = {name for name, takes in every.items() if "prompt" in takes and takes & {"image", "images"} and not takes & FILMS}
    assert len(editing) > 50 and sorted(editing - ROWS - ELSEWHERE.keys()) == []


def test_nothing_is_a_row_and_refused_and_what_is_refused_is_there() -> None:
    assert not ROWS & ELSEWHERE.keys()
    missing = {name for name in (*ROWS, *ELSEWHERE) if not hasattr(diffusers, name)}
    assert missing == {"StableDiffusionControlNetPAGImg2ImgPipeline"}  # the one of eight that the library never had


@pytest.mark.parametrize("name", ["KandinskyV22Img2ImgCombinedPipeline", "IFImg2ImgPipeline", "StableDiffusionControlNetInpaintPipeline", "KolorsImg2ImgPipeline"])
def test_it_is_refused_by_name_with_the_reason_and_the_families_that_can_paint(name: str) -> None:
    known = ", ".join(["bundled", *(row.name for row in FAMILIES)])
    with pytest.raises(CheckpointError, match=rf"^'{name}' cannot paint here: {re.escape(ELSEWHERE[name])}; those that can are {known}$"):
        family_of(name, {})
    with pytest.raises(CheckpointError, match=rf"^'NoPipeline' is of no family that can paint here; those that can are {known}$"):
        family_of("NoPipeline", {})


def test_every_reason_is_one_line() -> None:
    assert not [name for name, why in ELSEWHERE.items() if "\n" in why or why.endswith((".", ";"))]


def test_what_another_pipeline_saved_of_the_same_weights_is_the_same_family() -> None:
    """Sampled with perturbed attention guidance, or into a mask, they are no others."""
    for name, family in (("StableDiffusionPAGPipeline", "sd1"), ("StableDiffusionXLPAGImg2ImgPipeline", "sdxl"), ("StableDiffusion3PAGPipeline", "sd3"),
                         ("FluxInpaintPipeline", "flux"), ("FluxKontextInpaintPipeline", "kontext"), ("QwenImageEditInpaintPipeline", "qwen-edit"),
                         ("Flux2KleinInpaintPipeline", "klein-base"), ("QwenImageInpaintPipeline", "qwen-image"), ("ZImageInpaintPipeline", "z-image-turbo"),
                         ("StableDiffusionXLControlNetPAGImg2ImgPipeline", "sdxl-control")):  # fmt: skip
        assert family_of(name, {}).name == family
