"""The open families as one table. A family is a row: what its checkpoints hold, and how it is asked to paint.

A latent painter's denoiser is driven by us (`models.prompted`); `pipeline` names the stock diffusers pipeline whose
full-frame output ours equals with the same weights, seed and settings. A reference painter (`models.reference`) calls that
pipeline itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from engine.errors import CheckpointError
from models import templates
from models.elsewhere import ELSEWHERE
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
LEAST_STRENGTH = 0.2  # below it a scheduler of few steps finds no place to begin
NEARLY = 0.1 + 1e-6  # how far below what was asked for a strength may come out
CONTROLNET: Pair = ("diffusers", "ControlNetModel")
CONTROL: Mapping[str, Collection[Pair]] = {"controlnet": {CONTROLNET}}


def _flow(transformer: str, vae: str, scheduler: str = "FlowMatchEulerDiscreteScheduler", **words: str) -> dict[str, Collection[Pair]]:
    """What a diffusion transformer's folder holds. words: the classes, of transformers, that read words and pictures."""
    pictures = {"transformer": transformer, "vae": vae, "scheduler": scheduler}
    parts: dict[str, Collection[Pair]] = {part: {("diffusers", name)} for part, name in pictures.items()}
    return parts | {part: {("transformers", name) for name in names.split()} for part, names in words.items()}


CLIP, T5 = "CLIPTokenizer CLIPTokenizerFast", "T5Tokenizer T5TokenizerFast"
QWEN, QWEN_SEES = "Qwen2Tokenizer Qwen2TokenizerFast", "Qwen2VLProcessor Qwen2_5_VLProcessor"
SEEING = "Qwen2_5_VLForConditionalGeneration"
FLUX = _flow("FluxTransformer2DModel", "AutoencoderKL", text_encoder="CLIPTextModel", tokenizer=CLIP, text_encoder_2="T5EncoderModel", tokenizer_2=T5)
KLEIN = _flow("Flux2Transformer2DModel", "AutoencoderKLFlux2", text_encoder="Qwen3ForCausalLM", tokenizer=QWEN)
FLUX2 = _flow("Flux2Transformer2DModel", "AutoencoderKLFlux2", text_encoder="Mistral3ForConditionalGeneration", tokenizer="PixtralProcessor")
QWEN_IMAGE = _flow("QwenImageTransformer2DModel", "AutoencoderKLQwenImage", text_encoder=SEEING, tokenizer=QWEN)
QWEN_EDIT = _flow("QwenImageTransformer2DModel", "AutoencoderKLQwenImage", text_encoder=SEEING, tokenizer=QWEN, processor=QWEN_SEES)
LONGCAT = _flow("LongCatImageTransformer2DModel", "AutoencoderKL", text_encoder=SEEING, tokenizer=QWEN, text_processor=QWEN_SEES)
Z_IMAGE = _flow("ZImageTransformer2DModel", "AutoencoderKL", text_encoder="Qwen3Model Qwen3ForCausalLM", tokenizer=QWEN)
SPRINT = _flow("SanaTransformer2DModel", "AutoencoderDC", "SCMScheduler", text_encoder="Gemma2Model", tokenizer="GemmaTokenizer GemmaTokenizerFast")
KANDINSKY = _flow("Kandinsky5Transformer3DModel", "AutoencoderKL", text_encoder=SEEING, tokenizer=QWEN_SEES, text_encoder_2="CLIPTextModel", tokenizer_2=CLIP)
SEEING_3: dict[str, str] = {"text_encoder": "Qwen3VLForConditionalGeneration", "processor": "Qwen3VLProcessor"}
QWEN_21 = _flow("QwenImage21Transformer2DModel", "AutoencoderKLQwenImage21", **SEEING_3)
JOY = _flow("JoyImageEditTransformer3DModel", "AutoencoderKLWan", tokenizer=QWEN, **SEEING_3)
JOY_PLUS = _flow("JoyImageEditPlusTransformer3DModel", "AutoencoderKLWan", tokenizer=QWEN, **SEEING_3)
Z_OMNI: dict[str, Collection[Pair]] = {
    **Z_IMAGE, "siglip": {("transformers", "Siglip2VisionModel")},
    "siglip_processor": {("transformers", "Siglip2ImageProcessor"), ("transformers", "Siglip2ImageProcessorFast")},
}
FIBO = _flow("BriaFiboTransformer2DModel", "AutoencoderKLWan", text_encoder="SmolLM3ForCausalLM", tokenizer="PreTrainedTokenizerFast TokenizersBackend")
FIBO_2 = _flow("BriaFibo2Transformer2DModel", "AutoencoderKLFlux2", **SEEING_3)
DREAM_LITE = {"unet" if part == "transformer" else part: pairs for part, pairs in _flow("DreamLiteUNetModel", "AutoencoderTiny", tokenizer=QWEN, **SEEING_3).items()}
KANDINSKY_3: dict[str, Collection[Pair]] = {
    **{part: {("diffusers", name)} for part, name in {"unet": "Kandinsky3UNet", "movq": "VQModel", "scheduler": "DDPMScheduler"}.items()},
    "text_encoder": {("transformers", "T5EncoderModel")}, "tokenizer": {("transformers", name) for name in T5.split()},
}  # fmt: skip
CHROMA = _flow("ChromaTransformer2DModel", "AutoencoderKL", text_encoder="T5EncoderModel", tokenizer=T5)
SD3 = _flow("SD3Transformer2DModel", "AutoencoderKL", text_encoder="CLIPTextModelWithProjection", tokenizer=CLIP,
            text_encoder_2="CLIPTextModelWithProjection", tokenizer_2=CLIP, text_encoder_3="T5EncoderModel", tokenizer_3=T5)  # fmt: skip



@dataclass(frozen=True)
class Family:
    """One row.

    indexes: values of `_class_name` in a model_index.json that mean it; pipeline: the stock pipeline; holder: another that holds
    its networks, where `pipeline` has no place for a ControlNet; components: what may stand where; marks: what tells it from other rows of the same pipeline, as (component, setting, value) of the configs,
    value `...` for any that is not None. steps, guidance, image_guidance, strength: as of the stock pipeline, where
    the user says nothing; strength 0: painting starts from noise, and the frame is shown beside it. control: how much
    a ControlNet counts that is shown the guide; 0: the family has none. references: how many pictures its pipeline
    takes; 0: its denoiser is driven by us. turning: the strength with which one thing is turned into another where the user
    says none, mostly the stock pipeline's own default. settings: what else its pipeline is called with; keyed: the key under which it wants
    the words, as JSON, "" for plain ones; chat: the template by which its text encoder is addressed, "" for none.
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
    turning: float = 0.6
    control: float = 0.0
    references: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    keyed: str = ""
    chat: str = ""
    holder: str = ""

    @property
    def edits(self) -> bool:
        """Whether it is told what to change in a frame that it is shown, rather than what the frame shows."""
        return self.strength == 0

    @property
    def distilled(self) -> bool:
        """Whether its scheduler picks the steps of a consistency model itself."""
        return self.pipeline.startswith("LatentConsistency")

    def turned(self, strength: float) -> Family:
        """The row by which one thing is turned into another. strength: as the user said, 0 for the family's own."""
        return self if self.edits else replace(self, strength=min(max(strength or self.turning, LEAST_STRENGTH), 1.0))

    def calls(self, steps: int) -> int:
        """The calls of the denoiser, at least `steps`, by which its strength is met nearly: pipelines begin at a whole step."""
        if self.edits or self.distilled:
            return steps
        return next(n for n in range(steps, steps + 10) if self.strength - n / self.stock_steps(n) <= NEARLY)

    def stock_steps(self, steps: int) -> int:
        """The stock pipeline's `num_inference_steps` for so many calls of the denoiser."""
        if self.edits or self.distilled:
            return steps
        return next(n for n in range(steps, 10 * steps + 1) if int(n * self.strength) >= steps)


# What was saved as a pipeline with perturbed attention guidance (PAG) holds the same weights, and is painted with without it.
_SD, _SD_CONTROL, _XL, _XL_CONTROL = (
    tuple(f"{name}{with_pag}{ending}Pipeline" for with_pag in ("", "PAG") for ending in ("", "Img2Img"))
    for name in ("StableDiffusion", "StableDiffusionControlNet", "StableDiffusionXL", "StableDiffusionXLControlNet")
)
_LCM = ("LatentConsistencyModelPipeline", "LatentConsistencyModelImg2ImgPipeline")
_SD3 = tuple(f"StableDiffusion3{ending}Pipeline" for ending in ("", "Img2Img", "PAG", "PAGImg2Img"))
_EDITS, _XL_EDITS = "StableDiffusionInstructPix2PixPipeline", "StableDiffusionXLInstructPix2PixPipeline"
_WITH_CONTROL = {**dict.fromkeys((*_SD, *_LCM, _EDITS), _SD_CONTROL[0]), **dict.fromkeys((*_XL, _XL_EDITS), _XL_CONTROL[0])}
_TRAILING = ("scheduler", "timestep_spacing", "trailing")
TOLD = ("unet", "time_cond_proj_dim", ...)  # a Latent Consistency Model's U-Net, which is told the guidance
_SHOWN = ("unet", "in_channels", 8)  # InstructPix2Pix's, which is shown the latents of the picture that is edited
_NEW = ("unet", "use_linear_projection", True)  # Stable Diffusion 2's attention, which 1 does not have

# The more particular rows stand first: the first that fits is taken.
FAMILIES: tuple[Family, ...] = (
    Family("sd-turbo", "SD-Turbo", _SD, "StableDiffusionImg2ImgPipeline", SD, (_NEW, _TRAILING), steps=1),
    Family("lcm", "Latent Consistency Model", (*_LCM, *_SD),
           "LatentConsistencyModelImg2ImgPipeline", SD, (TOLD,), guidance=8.5, turning=0.8),
    Family("sd2", "Stable Diffusion 2.x", _SD, "StableDiffusionImg2ImgPipeline", SD, (_NEW,), steps=8, guidance=5.0, turning=0.8),
    Family("sd1", "Stable Diffusion 1.x", _SD, "StableDiffusionImg2ImgPipeline", SD, steps=8, guidance=5.0, turning=0.8),
    Family("lcm-control", "Latent Consistency Model with a ControlNet", _SD_CONTROL, "LatentConsistencyModelImg2ImgPipeline",
           {**SD, **CONTROL}, (TOLD,), guidance=8.5, control=0.8, turning=0.8, holder="StableDiffusionControlNetPipeline"),
    Family("pix2pix-control", "InstructPix2Pix with a ControlNet", _SD_CONTROL, _EDITS,
           {**SD, **CONTROL}, (_SHOWN,), steps=8, guidance=7.5, image_guidance=1.5, strength=0.0, control=0.8,
           holder="StableDiffusionControlNetPipeline"),
    Family("sd-turbo-control", "SD-Turbo with a ControlNet", _SD_CONTROL, "StableDiffusionControlNetImg2ImgPipeline", {**SD, **CONTROL},
           (_NEW, _TRAILING), steps=1, control=0.8),
    Family("sd-control", "Stable Diffusion with a ControlNet", _SD_CONTROL, "StableDiffusionControlNetImg2ImgPipeline",
           {**SD, **CONTROL}, steps=8, guidance=5.0, strength=0.7, control=0.8, turning=0.8),
    Family("pix2pix", "InstructPix2Pix", (_EDITS,), _EDITS, SD, steps=8, guidance=7.5, image_guidance=1.5, strength=0.0),
    Family("lcm-xl", "Latent Consistency Model XL", _XL, "StableDiffusionXLImg2ImgPipeline", SDXL, (TOLD,), guidance=8.0, turning=0.7),
    Family("sdxl-turbo", "SDXL-Turbo", _XL, "StableDiffusionXLImg2ImgPipeline", SDXL, (_TRAILING,), steps=1),
    Family("sdxl", "Stable Diffusion XL", _XL, "StableDiffusionXLImg2ImgPipeline", SDXL, steps=8, guidance=5.0, turning=0.7),
    Family("lcm-xl-control", "Latent Consistency Model XL with a ControlNet", _XL_CONTROL, "StableDiffusionXLImg2ImgPipeline",
           {**SDXL, **CONTROL}, (TOLD,), guidance=8.0, control=0.8, turning=0.7, holder="StableDiffusionXLControlNetImg2ImgPipeline"),
    Family("pix2pix-xl-control", "InstructPix2Pix XL with a ControlNet", _XL_CONTROL, _XL_EDITS,
           {**SDXL, **CONTROL}, (_SHOWN,), steps=8, guidance=3.0, image_guidance=1.5, strength=0.0, control=0.8,
           holder="StableDiffusionXLControlNetPipeline"),
    Family("sdxl-turbo-control", "SDXL-Turbo with a ControlNet", _XL_CONTROL, "StableDiffusionXLControlNetImg2ImgPipeline",
           {**SDXL, **CONTROL}, (_TRAILING,), steps=1, control=0.8),
    Family("sdxl-control", "Stable Diffusion XL with a ControlNet", _XL_CONTROL, "StableDiffusionXLControlNetImg2ImgPipeline",
           {**SDXL, **CONTROL}, steps=8, guidance=5.0, strength=0.7, control=0.8, turning=0.8),
    Family("pix2pix-xl", "InstructPix2Pix XL", (_XL_EDITS,), _XL_EDITS, SDXL, steps=8, guidance=3.0, image_guidance=1.5, strength=0.0),
    # Pipelines for inpainting hold the weights of the plain one and pin the latents outside a mask while they paint. They are painted with as
    # the plain one: what is outside the damage stays as it is to the bit, which no mask on latents can promise, and the last frame is shown beside.
    Family("kontext", "FLUX.1 Kontext", ("FluxKontextPipeline", "FluxKontextInpaintPipeline"), "FluxKontextPipeline", FLUX,
           steps=20, guidance=2.5, strength=0.0, references=1, settings={"_auto_resize": False}),
    Family("klein", "FLUX.2 klein", ("Flux2KleinPipeline", "Flux2KleinInpaintPipeline"), "Flux2KleinPipeline", KLEIN,
           (("model_index", "is_distilled", True),), steps=4, guidance=1.0, strength=0.0, references=2, chat=templates.QWEN3),
    Family("klein-base", "FLUX.2 klein base", ("Flux2KleinPipeline", "Flux2KleinInpaintPipeline"), "Flux2KleinPipeline", KLEIN,
           steps=28, guidance=4.0, strength=0.0, references=2, chat=templates.QWEN3),
    Family("flux2", "FLUX.2", ("Flux2Pipeline",), "Flux2Pipeline", FLUX2, steps=28, guidance=4.0, strength=0.0, references=2,
           chat=templates.MISTRAL),
    Family("qwen-edit", "Qwen-Image-Edit", ("QwenImageEditPipeline", "QwenImageEditInpaintPipeline"), "QwenImageEditPipeline", QWEN_EDIT,
           steps=30, strength=0.0, references=1, settings={"true_cfg_scale": 4.0, "guidance_scale": None}),
    Family("qwen-edit-plus", "Qwen-Image-Edit-Plus", ("QwenImageEditPlusPipeline",), "QwenImageEditPlusPipeline", QWEN_EDIT,
           steps=30, strength=0.0, references=2, settings={"true_cfg_scale": 4.0, "guidance_scale": None}),
    Family("longcat-edit", "LongCat-Image-Edit", ("LongCatImageEditPipeline",), "LongCatImageEditPipeline", LONGCAT,
           steps=30, guidance=4.5, strength=0.0, references=1),
    Family("klein-kv", "FLUX.2 klein with kept keys", ("Flux2KleinKVPipeline",), "Flux2KleinKVPipeline", KLEIN, steps=4, strength=0.0,
           references=2, chat=templates.QWEN3),
    Family("kandinsky5-edit", "Kandinsky 5 Image Editing", ("Kandinsky5I2IPipeline",), "Kandinsky5I2IPipeline", KANDINSKY, steps=30,
           guidance=3.5, strength=0.0, references=1),
    Family("qwen-image-2", "Qwen-Image 2.1", ("QwenImage21Pipeline",), "QwenImage21Pipeline", QWEN_21, steps=20, strength=0.0,
           references=2, chat=templates.QWEN_SEES),
    Family("joy-edit", "JoyImage-Edit", ("JoyImageEditPipeline",), "JoyImageEditPipeline", JOY, steps=30, guidance=4.0, strength=0.0,
           references=1),
    Family("joy-edit-plus", "JoyImage-Edit-Plus", ("JoyImageEditPlusPipeline",), "JoyImageEditPlusPipeline", JOY_PLUS, steps=30,
           guidance=4.0, strength=0.0, references=2),
    Family("z-image-omni", "Z-Image-Omni", ("ZImageOmniPipeline",), "ZImageOmniPipeline", Z_OMNI, steps=25, guidance=4.0, strength=0.0,
           references=2),
    Family("fibo-edit", "Bria Fibo edit", ("BriaFiboEditPipeline",), "BriaFiboEditPipeline", FIBO, steps=30, guidance=5.0, strength=0.0,
           references=2, settings={"_auto_resize": False}, keyed="edit_instruction"),
    Family("fibo2", "Bria Fibo 2", ("BriaFibo2Pipeline",), "BriaFibo2Pipeline", FIBO_2, steps=30, guidance=5.0, strength=0.0, references=2,
           settings={"negative_prompt": None}, keyed="edit_instruction"),
    Family("dreamlite", "DreamLite", ("DreamLitePipeline",), "DreamLitePipeline", DREAM_LITE, steps=30, guidance=3.5, strength=0.0,
           references=1),
    Family("dreamlite-mobile", "DreamLite mobile", ("DreamLiteMobilePipeline",), "DreamLiteMobilePipeline", DREAM_LITE, steps=4,
           strength=0.0, references=1),
    Family("z-image-turbo", "Z-Image-Turbo", ("ZImagePipeline", "ZImageImg2ImgPipeline", "ZImageInpaintPipeline"), "ZImageImg2ImgPipeline", Z_IMAGE, steps=4,
           references=1, chat=templates.QWEN3),
    Family("sana-sprint", "Sana-Sprint", ("SanaSprintPipeline", "SanaSprintImg2ImgPipeline"), "SanaSprintImg2ImgPipeline", SPRINT, steps=2,
           guidance=4.5, references=1, settings={"use_resolution_binning": False, "intermediate_timesteps": None}),
    Family("flux-schnell", "FLUX.1 schnell", ("FluxPipeline", "FluxImg2ImgPipeline", "FluxInpaintPipeline"), "FluxImg2ImgPipeline", FLUX,
           (("transformer", "guidance_embeds", False),), steps=2, references=1),
    Family("flux", "FLUX.1", ("FluxPipeline", "FluxImg2ImgPipeline", "FluxInpaintPipeline"), "FluxImg2ImgPipeline", FLUX, steps=10, guidance=3.5, references=1),
    Family("qwen-image", "Qwen-Image", ("QwenImagePipeline", "QwenImageImg2ImgPipeline", "QwenImageInpaintPipeline"), "QwenImageImg2ImgPipeline", QWEN_IMAGE, steps=15,
           references=1, settings={"true_cfg_scale": 4.0, "guidance_scale": None}),
    Family("chroma", "Chroma", ("ChromaPipeline", "ChromaImg2ImgPipeline", "ChromaInpaintPipeline"), "ChromaImg2ImgPipeline", CHROMA, steps=14, guidance=5.0,
           references=1, turning=0.9),
    Family("sd3", "Stable Diffusion 3.x", _SD3, "StableDiffusion3Img2ImgPipeline", SD3, steps=10, guidance=5.0, references=1),
    Family("kandinsky3", "Kandinsky 3", ("Kandinsky3Pipeline", "Kandinsky3Img2ImgPipeline"), "Kandinsky3Img2ImgPipeline", KANDINSKY_3, steps=12,
           guidance=3.0, references=1),
)  # fmt: skip


def allowed() -> dict[str, Mapping[str, Collection[Pair]]]:
    """For each pipeline name that a model_index.json may give: what may stand where."""
    return {index: family.components for family in reversed(FAMILIES) for index in family.indexes}


def pipeline_of(index: Mapping[str, Any]) -> str:
    """The stock pipeline that a model_index.json means: where it names a ControlNet beside its pipeline's own parts, one with both."""
    name = str(index["_class_name"])
    return name if index.get("controlnet") in (None, [None, None]) else _WITH_CONTROL.get(name, name)


def family_of(index: str, configs: Mapping[str, Mapping[str, Any]]) -> Family:
    """The row of a checkpoint. index: its `_class_name`, or what `pipeline_of` makes of it; configs: of its components. Raises CheckpointError."""
    for family in FAMILIES:
        if index in family.indexes and all(_fits(configs.get(component, {}).get(key), value) for component, key, value in family.marks):
            return family
    why = f"cannot paint here: {ELSEWHERE[index]}" if index in ELSEWHERE else "is of no family that can paint here"
    known = ", ".join(["bundled", *(family.name for family in FAMILIES)])
    raise CheckpointError(f"{index!r} {why}; those that can are {known}")


def with_controlnet(index: Mapping[str, Any], configs: Mapping[str, Mapping[str, Any]]) -> tuple[Family, dict[str, Any]]:
    """The row of a checkpoint with a ControlNet beside its parts, and its index then; a row without `control` where it takes none.
    Raises CheckpointError."""
    told = {**index, "controlnet": [*CONTROLNET]}
    return family_of(pipeline_of(told), {**configs, "model_index": told}), told


def _fits(found: Any, wanted: Any) -> bool:
    return found is not None if wanted is ... else found == wanted
