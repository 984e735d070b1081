"""Pipelines of diffusers that edit pictures by words and cannot paint here, and why. `models.families` holds those that can.

A reason stands between "... cannot paint here: " and the list of the families that can. Films are a kind of their own, and are not listed but for what calls itself an editor.
"""

from __future__ import annotations

MASKED = (
    "it fills a hole, which is to be cut by a mask beside the picture, mostly with weights that were taught nothing else; give the "
    "checkpoint that it was made from"
)
UPSCALES = "it makes a picture larger, or surer in its details, and changes nothing else; give a checkpoint that paints at its own size"
PRIOR = "it has a second model dream up a picture's meaning from the words first, so that it is two checkpoints with a sampler each"
CONTROLLED = "it has another kind of network beside its denoiser; give the checkpoint without it, or with a plain ControlNet, of Stable Diffusion 1, 2 or XL"
FLUX_LED = (
    "it is shown an outline or a map of depths, which somebody has to draw of every frame first; give FLUX.1, FLUX.1 Kontext or FLUX.2 instead"
)
TWO_STAGES = "DeepFloyd IF paints 64 pixels wide, and has other models make that larger; no frame's letters fit in there"
GIVEN_UP = "it is a family of networks of its own that the library has given up; give Stable Diffusion 1"
ADAPTED = "it is Stable Diffusion by another way to sample; give StableDiffusionPipeline as the name in its model_index.json"
KOLORS = "Kolors' pipeline needs sentencepiece, which Pixel OS does not install"
TORCHVISION = "OmniGen's pipeline needs torchvision, which Pixel OS does not install"

ELSEWHERE: dict[str, str] = {
    **dict.fromkeys((
        "FluxFillPipeline", "StableDiffusionInpaintPipeline", "StableDiffusionInpaintPipelineLegacy", "StableDiffusionXLInpaintPipeline",
        "StableDiffusionPAGInpaintPipeline", "StableDiffusionXLPAGInpaintPipeline", "StableDiffusion3InpaintPipeline",
        "StableDiffusionControlNetInpaintPipeline", "StableDiffusionControlNetPAGInpaintPipeline", "StableDiffusionXLControlNetInpaintPipeline",
    ), MASKED),
    **dict.fromkeys((
        "StableDiffusionUpscalePipeline", "StableDiffusionLatentUpscalePipeline", "IFSuperResolutionPipeline",
        "IFImg2ImgSuperResolutionPipeline", "IFInpaintingSuperResolutionPipeline", "HunyuanImageRefinerPipeline",
    ), UPSCALES),
    **dict.fromkeys((
        "KandinskyImg2ImgPipeline", "KandinskyImg2ImgCombinedPipeline", "KandinskyInpaintPipeline", "KandinskyInpaintCombinedPipeline",
        "KandinskyV22Img2ImgPipeline", "KandinskyV22Img2ImgCombinedPipeline", "KandinskyV22InpaintPipeline",
        "KandinskyV22InpaintCombinedPipeline", "KandinskyV22PriorEmb2EmbPipeline", "StableCascadePriorPipeline", "StableCascadeCombinedPipeline",
    ), PRIOR),
    **dict.fromkeys((
        "StableDiffusionAdapterPipeline", "StableDiffusionXLAdapterPipeline", "StableDiffusionControlNetXSPipeline",
        "StableDiffusionXLControlNetXSPipeline", "StableDiffusionXLControlNetUnionPipeline", "StableDiffusionXLControlNetUnionImg2ImgPipeline",
        "StableDiffusionXLControlNetUnionInpaintPipeline", "ZImageControlNetInpaintPipeline",
    ), CONTROLLED),
    **dict.fromkeys((
        "FluxControlPipeline", "FluxControlImg2ImgPipeline", "FluxControlInpaintPipeline", "FluxControlNetPipeline",
        "FluxControlNetImg2ImgPipeline", "FluxControlNetInpaintPipeline",
    ), FLUX_LED),
    **dict.fromkeys(("IFImg2ImgPipeline", "IFInpaintingPipeline"), TWO_STAGES),
    **dict.fromkeys((
        "UniDiffuserPipeline", "VersatileDiffusionDualGuidedPipeline", "AltDiffusionImg2ImgPipeline", "AmusedImg2ImgPipeline", "AmusedInpaintPipeline",
    ), GIVEN_UP),
    **dict.fromkeys(("CycleDiffusionPipeline", "StableDiffusionDiffEditPipeline"), ADAPTED),
    **dict.fromkeys(("KolorsPipeline", "KolorsImg2ImgPipeline", "KolorsPAGPipeline"), KOLORS),
    **dict.fromkeys(("VisualClozePipeline", "VisualClozeGenerationPipeline"), "VisualCloze is shown pairs of pictures, before and after, to do the same with a third"),
    "StableDiffusionDepth2ImgPipeline": "it guesses how far away everything is with one more model, which a flat screen gives nothing to guess",
    "StableUnCLIPImg2ImgPipeline": "it is shown what a picture means, not where anything stands in it",
    "FluxPriorReduxPipeline": "FLUX.1 Redux makes words of a picture, and paints nothing itself",
    "DiffusionGemmaPipeline": "DiffusionGemma answers with words",
    "ChronoEditPipeline": "ChronoEdit answers with a film",
    "QwenImageLayeredPipeline": "Qwen-Image-Layered takes a picture apart into layers",
    "OmniGenPipeline": TORCHVISION,
    "GlmImagePipeline": "GLM-Image has a language model draw a plan of the picture first, a token at a time, which its pipeline neither reports "
    "nor stops; a painter must do both",
}  # fmt: skip
