"""What turns words and pictures into a text encoder's input: tokenizers, and processors that see pictures too.

The library's processors need torchvision, for videos that nobody shows here; the one class below does what they do.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import transformers
from PIL import Image

from engine.errors import CheckpointError
from models.plain_files import read_json
from models.vocabularies import TOKENIZERS, qwen2, tried

PICTURE = "<|image_pad|>"
NUMBERS = {"patch_size": 64, "max_num_patches": 2**14, "temporal_patch_size": 4, "merge_size": 4, "min_pixels": 2**20, "max_pixels": 2**25}  # the most


class PictureReader:
    """Words in which each picture's mark is repeated for as many tokens as the picture takes, and the pictures' patches."""

    def __init__(self, tokenizer: Any, image_processor: Any) -> None:
        self.tokenizer, self.image_processor = tokenizer, image_processor

    @property
    def image_token_id(self) -> int:
        """The number of a picture's mark."""
        return self.tokenizer.convert_tokens_to_ids(PICTURE)

    def __call__(
        self, text: Sequence[str], images: Image.Image | Sequence[Image.Image] | None = None, padding: bool | str = True,
        return_tensors: str = "pt", videos: None = None, **cutting: Any,
    ) -> Any:  # fmt: skip
        """input_ids, attention_mask, mm_token_type_ids (1 where a picture stands): int (B, L); with pictures also
        pixel_values: float (patches, D), and image_grid_thw: int (P, 3)."""
        seen = {} if images is None else self.image_processor(images=images, return_tensors=return_tensors)
        grids = [] if images is None else seen["image_grid_thw"].prod(1).tolist()
        counts = iter(grids)
        said = []
        for line in text:
            first, *rest = line.split(PICTURE)
            marks = [PICTURE * (next(counts) // self.image_processor.merge_size**2) for _ in rest]
            said.append(first + "".join(mark + part for mark, part in zip(marks, rest, strict=True)))
        read = self.tokenizer(said, padding=padding, return_tensors=return_tensors, **cutting)
        pictures = (read["input_ids"] == self.image_token_id).long()
        return transformers.BatchFeature({**read, **seen, "mm_token_type_ids": pictures})

    def apply_chat_template(self, messages: Sequence[Any], **asked: Any) -> list[list[int]]:
        """The tokens of one conversation, by our own template."""
        return [self.tokenizer.apply_chat_template(messages, **asked)]


def qwen2_vl(folder: Path) -> PictureReader:
    """Of Qwen 2, 2.5 and 3 with eyes."""
    return PictureReader(qwen2(folder), _image_processor(folder / "preprocessor_config.json"))


def siglip2(folder: Path) -> Any:
    """What cuts pictures for eyes that stand alone."""
    return transformers.Siglip2ImageProcessorPil(**_cutting(folder / "preprocessor_config.json"))


def _image_processor(path: Path) -> Any:
    return transformers.Qwen2VLImageProcessorPil(**_cutting(path))


def _cutting(path: Path) -> dict[str, Any]:
    """How pictures are cut into patches, as bounded numbers alone."""
    found = read_json(path)
    size: Any = found.get("size")
    size = size if isinstance(size, dict) else {}
    found = {"min_pixels": size.get("shortest_edge"), "max_pixels": size.get("longest_edge"), **found}
    known: dict[str, Any] = {key: found[key] for key in NUMBERS if found.get(key) is not None}
    for key, value in known.items():
        if type(value) is not int or not 1 <= value <= NUMBERS[key]:
            raise CheckpointError(f"{path}: {key} is {value!r}; whole numbers up to {NUMBERS[key]} are allowed")
    for key in ("image_mean", "image_std"):
        if key in found:
            known[key] = found[key]
            if not isinstance(found[key], list) or len(found[key]) != 3 or not all(isinstance(n, (int, float)) for n in found[key]):
                raise CheckpointError(f"{path}: {key} must hold three numbers")
    return known


READERS = {**TOKENIZERS, "Siglip2ImageProcessor": siglip2, "Siglip2ImageProcessorFast": siglip2, "Qwen2VLProcessor": qwen2_vl, "Qwen2_5_VLProcessor": qwen2_vl, "Qwen3VLProcessor": qwen2_vl}


def reader(name: str, folder: Path) -> Any:
    """What a folder holds for the class of that name, one of READERS. Raises CheckpointError."""
    try:
        found = READERS[name](folder)
        if isinstance(words := getattr(found, "tokenizer", found), transformers.PreTrainedTokenizerBase):
            tried(words)
        return found
    except CheckpointError:
        raise
    except Exception as error:  # the tokenizers' own are of no kind that could be named
        raise CheckpointError(f"{folder}: its tables do not fit together ({error}); copy the folder again") from error
