"""The open families as one table. A family is a row: what its checkpoints hold, and how it is asked to paint.

A latent painter's denoiser is driven by us (`models.prompted`); `pipeline` names the stock diffusers pipeline whose
full-frame output ours equals with the same weights, seed and settings.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import CheckpointError
from models.survey import Pair

SCHEDULERS: frozenset[Pair] = frozenset(
    ("diffusers", name)
    for name in (
        "DDIMScheduler", "PNDMScheduler", "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler",
        "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler", "UniPCMultistepScheduler", "DEISMultistepScheduler",
        "HeunDiscreteScheduler", "KDPM2DiscreteScheduler", "LCMScheduler", "TCDScheduler", "DDPMScheduler",
    )
)  # fmt: skip
VAES = frozenset({("diffusers", "AutoencoderKL"), ("diffusers", "AutoencoderTiny")})
SD: Mapping[str, Collection[Pair]] = {
    "unet": {("diffusers", "UNet2DConditionModel")},
    "vae": VAES,
    "scheduler": SCHEDULERS,
    "text_encoder": {("transformers", "CLIPTextModel")},
    "tokenizer": {("transformers", "CLIPTokenizer"), ("transformers", "CLIPTokenizerFast")},
}
SDXL: Mapping[str, Collection[Pair]] = {
    **SD,
    "text_encoder_2": {("transformers", "CLIPTextModelWithProjection")},
    "tokenizer_2": SD["tokenizer"],
}
SPARE: Mapping[str, Collection[Pair]] = {
    "safety_checker": {("stable_diffusion", "StableDiffusionSafetyChecker")},
    "feature_extractor": {("transformers", "CLIPImageProcessor"), ("transformers", "CLIPFeatureExtractor")},
    "image_encoder": {("transformers", "CLIPVisionModelWithProjection")},
}  # parts that checkpoints come with and nobody paints with
CONTROL: Mapping[str, Collection[Pair]] = {"controlnet": {("diffusers", "ControlNetModel")}}


@dataclass(frozen=True)
class Family:
    """One row.

    indexes: values of `_class_name` in a model_index.json that mean it; pipeline: the stock pipeline; components: what may
    stand where; marks: what tells it from other rows of the same pipeline, as (component, setting, value) of the configs,
    value `...` for any that is not None. steps, guidance, image_guidance, strength: as of the stock pipeline, where
    the user says nothing; strength 0: painting starts from noise, and the frame is shown beside it. control: how much
    a ControlNet counts that is shown the guide; 0: the family has none.
    """

    name: str
    title: str
    indexes: tuple[str, ...]
    pipeline: str
    components: Mapping[str, Collection[Pair]]
    marks: tuple[tuple[str, str, Any], ...] = ()
    steps: int = 4
    guidance: float = 0.0
    image_guidance: float = 1.0
    strength: float = 0.5
    control: float = 0.0

    @property
    def edits(self) -> bool:
        """Whether it is told what to change in a frame that it is shown, rather than what the frame shows."""
        return self.strength == 0

    @property
    def distilled(self) -> bool:
        """Whether its scheduler picks the steps of a consistency model itself."""
        return self.pipeline.startswith("LatentConsistency")


_SD = ("StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline")
_XL = ("StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline")
_TRAILING = ("scheduler", "timestep_spacing", "trailing")
_NEW = ("unet", "use_linear_projection", True)  # Stable Diffusion 2's attention, which 1 does not have

# The more particular rows stand first: the first that fits is taken.
FAMILIES: tuple[Family, ...] = (
    Family("sd-turbo", "SD-Turbo", _SD, "StableDiffusionImg2ImgPipeline", SD, (_NEW, _TRAILING), steps=1),
    Family("lcm", "Latent Consistency Model", ("LatentConsistencyModelPipeline", "LatentConsistencyModelImg2ImgPipeline", *_SD),
           "LatentConsistencyModelImg2ImgPipeline", SD, (("unet", "time_cond_proj_dim", ...),), guidance=8.5),
    Family("sd2", "Stable Diffusion 2.x", _SD, "StableDiffusionImg2ImgPipeline", SD, (_NEW,), steps=8, guidance=5.0),
    Family("sd1", "Stable Diffusion 1.x", _SD, "StableDiffusionImg2ImgPipeline", SD, steps=8, guidance=5.0),
    Family("sd-control", "Stable Diffusion with a ControlNet",
           ("StableDiffusionControlNetPipeline", "StableDiffusionControlNetImg2ImgPipeline"),
           "StableDiffusionControlNetImg2ImgPipeline", {**SD, **CONTROL}, steps=8, guidance=5.0, strength=0.7, control=0.8),
    Family("pix2pix", "InstructPix2Pix", ("StableDiffusionInstructPix2PixPipeline",), "StableDiffusionInstructPix2PixPipeline",
           SD, steps=8, guidance=7.5, image_guidance=1.5, strength=0.0),
    Family("sdxl-turbo", "SDXL-Turbo", _XL, "StableDiffusionXLImg2ImgPipeline", SDXL, (_TRAILING,), steps=1),
    Family("sdxl", "Stable Diffusion XL", _XL, "StableDiffusionXLImg2ImgPipeline", SDXL, steps=8, guidance=5.0),
    Family("sdxl-control", "Stable Diffusion XL with a ControlNet",
           ("StableDiffusionXLControlNetPipeline", "StableDiffusionXLControlNetImg2ImgPipeline"),
           "StableDiffusionXLControlNetImg2ImgPipeline", {**SDXL, **CONTROL}, steps=8, guidance=5.0, strength=0.7, control=0.8),
    Family("pix2pix-xl", "InstructPix2Pix XL", ("StableDiffusionXLInstructPix2PixPipeline",),
           "StableDiffusionXLInstructPix2PixPipeline", SDXL, steps=8, guidance=3.0, image_guidance=1.5, strength=0.0),
)  # fmt: skip


def allowed() -> dict[str, Mapping[str, Collection[Pair]]]:
    """For each pipeline name that a model_index.json may give: what may stand where."""
    return {index: family.components for family in reversed(FAMILIES) for index in family.indexes}


def family_of(index: str, configs: Mapping[str, Mapping[str, Any]]) -> Family:
    """The row of a checkpoint. index: its `_class_name`; configs: of its components. Raises CheckpointError."""
    for family in FAMILIES:
        if index in family.indexes and all(_fits(configs.get(component, {}).get(key), value) for component, key, value in family.marks):
            return family
    known = ", ".join(["bundled", *(family.name for family in FAMILIES)])
    raise CheckpointError(f"{index!r} is of no family that can paint here; those that can are {known}")


def _fits(found: Any, wanted: Any) -> bool:
    return found is not None if wanted is ... else found == wanted
