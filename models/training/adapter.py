"""The LoRA as a module to train: peft's small matrices in a denoiser that stays as it is.

The denoiser itself is no part of the module: what is optimised, averaged and saved is the LoRA alone, some megabytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft import LoraConfig
from torch import Tensor, nn

from models.prompted.checkpoint import PromptedCheckpoint

SLOT = "learned"
LAYERS = ("to_q", "to_k", "to_v", "to_out.0", "to_qkv_mlp_proj")  # every attention's, as diffusers' own training scripts have it
HALVES = {"lora_A": "down", "lora_B": "up"}


class Adapter(nn.Module):
    """matrices: by the names that diffusers saves them under, without dots. checkpoint: whose denoiser they change."""

    def __init__(self, checkpoint: PromptedCheckpoint, rank: int) -> None:
        super().__init__()
        self.rank = rank
        self._held = (checkpoint,)  # in a tuple: its networks are not this module's own
        self.part = "unet" if "unet" in checkpoint.parts else "transformer"
        denoiser = self.denoiser
        denoiser.requires_grad_(False)
        denoiser.add_adapter(LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=list(LAYERS)), adapter_name=SLOT)
        found = {name.replace(f".{SLOT}", ""): tensor for name, tensor in denoiser.named_parameters() if tensor.requires_grad}
        self.names = [*found]
        self.matrices = nn.ParameterList(found.values())  # the very parameters that the denoiser computes with

    @property
    def pipeline(self) -> Any:
        return self._held[0].pipeline

    @property
    def denoiser(self) -> Any:
        return getattr(self.pipeline, self.part)

    def forms(self) -> dict[str, dict[str, Any]]:
        """What it was made with."""
        return {"adapter": {"rank": self.rank}}

    def twin(self) -> Twin:
        return Twin(self)

    def forward(self, *given: Any, **named: Any) -> Any:
        """What the denoiser, with the LoRA, predicts of what it is given."""
        return self.denoiser(*given, **named, return_dict=False)[0]

    def place(self, device: torch.device) -> None:
        """Bring the checkpoint to where the LoRA is; on a GPU in half precision, for none of it is learned."""
        if self.pipeline.vae.device == device:
            return
        for network in self._held[0].networks:
            for tensor in (*network.parameters(), *network.buffers()):
                if not tensor.requires_grad:
                    tensor.data = tensor.data.to(device, torch.bfloat16 if device.type == "cuda" and tensor.is_floating_point() else tensor.dtype)


class Twin(nn.Module):
    """Other numbers for the same LoRA: its average, to be looked at and saved."""

    def __init__(self, adapter: Adapter) -> None:
        super().__init__()
        self.adapter_of = (adapter,)
        self.matrices = nn.ParameterList(matrix.detach().clone() for matrix in adapter.matrices)

    def tensors(self) -> dict[str, Tensor]:
        """As diffusers saves them: peft's names behind the component's."""
        return {f"{self.adapter_of[0].part}.{name}": matrix.detach().cpu() for name, matrix in zip(self.adapter_of[0].names, self.matrices, strict=True)}

    @contextmanager
    def worn(self) -> Iterator[Any]:
        """The pipeline, painting with these numbers for as long as the block lasts."""
        own = self.adapter_of[0].matrices
        kept = [matrix.data for matrix in own]
        for matrix, other in zip(own, self.matrices, strict=True):
            matrix.data = other.data.to(matrix.device)
        try:
            yield self.adapter_of[0].pipeline
        finally:
            for matrix, data in zip(own, kept, strict=True):
                matrix.data = data
