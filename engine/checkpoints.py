"""What is known of a checkpoint, or of a LoRA, before it is opened: plain values, for whoever lets a user choose one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.painter import OWN, PainterSpec


@dataclass(frozen=True, slots=True)
class CheckpointFacts:
    """name: as `--checkpoint` takes it. parameters: how many numbers; megabytes: of its files; needs_mb: at most, while it
    paints, by the plan that is told in `plan`; fits: whether that is free; licence: the file that states it, "" where there
    is none; why: what keeps it from being opened, "" where nothing is known to; wears: the kind of LoRA that it takes, or is itself:
    "" for none, None where that is not known; of two kinds the narrower begins with the wider."""

    name: str
    family: str
    parameters: int = 0
    megabytes: float = 0.0
    needs_mb: float = 0.0
    plan: str = ""
    fits: bool = True
    licence: str = ""
    why: str = ""
    wears: str | None = None


def opened_as(first: PainterSpec, name: str) -> PainterSpec:
    """A checkpoint is opened as the first one was; LoRAs, an autoencoder and a ControlNet belong to the one that they were given with."""
    vae = OWN if first.vae == OWN else "auto"
    return first if name == first.checkpoint else replace(first, checkpoint=name, loras=(), sampler="auto", vae=vae, controlnet="")


def lora_row(name: str) -> str:
    """What a LoRA is called among checkpoints."""
    return f"+ {name}"


def unlike(kind: str | None, other: str | None) -> bool:
    """Whether a LoRA of one kind is known not to be for what takes another."""
    return bool(kind and other) and not (str(kind).startswith(str(other)) or str(other).startswith(str(kind)))
