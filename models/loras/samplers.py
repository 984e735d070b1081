"""Which sampler a LoRA asks for: some teach a checkpoint to paint in a few steps, and paint nothing good in any others.

What it was distilled for stands in its name or its header ("lcm", "Hyper-SD15-4steps", "lightning_8step"); what the
user says counts more. Schedulers and numbers are those of the LoRAs' own pages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import diffusers

from engine.errors import CheckpointError
from engine.painter import AUTO, OWN
from models.families import TOLD, Family

MANY = 8  # a family of fewer steps was distilled itself
STEPS = re.compile(r"(\d{1,2})[-_ ]?steps?")
FLOW = {"base_shift": 1.0986122886681098, "max_shift": 1.0986122886681098, "shift": 1.0, "use_dynamic_shifting": True, "shift_terminal": None}


@dataclass(frozen=True)
class Sampler:
    """scheduler: from the checkpoint's own settings of one; None: its own stays. steps: where the user says none.
    guided: whether the prompt still counts as the family has it; else it is painted without guidance."""

    name: str
    scheduler: Callable[[Any], Any] | None
    steps: int
    guided: bool = False

    def row(self, family: Family) -> Family:
        """The family as it is painted with now."""
        guidance = family.guidance if self.guided or family.references else min(family.guidance, 1.0)
        settings = {**family.settings, **({"true_cfg_scale": 1.0} if "true_cfg_scale" in family.settings else {})}
        return replace(family, steps=self.steps, guidance=guidance, settings=settings)


def _made(name: str, **settings: Any) -> Callable[[Any], Any]:
    return lambda config: getattr(diffusers, name).from_config(config, **settings)


# How each is marked, and what it asks for. DDIM clips where settings of another scheduler do not tell, and latents
# are not to be clipped. Of a diffusion transformer, a flow, only the number of steps changes, and
# for Qwen-Image the shift of its times.
SAMPLERS: dict[str, tuple[str, Sampler]] = {
    "lcm": (r"lcm|latent[-_ ]?consistency|dmd2", Sampler("lcm", _made("LCMScheduler"), 4)),
    "tcd": (r"tcd", Sampler("tcd", _made("TCDScheduler"), 4)),
    "hyper": (r"hyper[-_ ]?(sd|flux)", Sampler("hyper", _made("DDIMScheduler", timestep_spacing="trailing", clip_sample=False), 8)),
    "lightning": (r"lightning", Sampler("lightning", _made("EulerDiscreteScheduler", timestep_spacing="trailing"), 4)),
    "turbo": (r"turbo", Sampler("turbo", _made("EulerAncestralDiscreteScheduler", timestep_spacing="trailing"), 8)),
}


def fast_sampler(wish: str, hints: Sequence[str], family: Family) -> Sampler | None:
    """What the user's wish, else the LoRAs, ask for; None: painting goes on as the family does.

    wish: AUTO, OWN, or a name of SAMPLERS; hints: of each LoRA that counts, what is known of it. Raises CheckpointError.
    """
    if wish == OWN or (wish == AUTO and not family.references and family.steps < MANY):
        return None
    if wish not in (AUTO, *SAMPLERS):
        raise CheckpointError(f"--sampler {wish!r} is not known; use {AUTO}, {OWN}, {', '.join(SAMPLERS)}")
    if wish != AUTO and TOLD in family.marks:
        raise CheckpointError(f"{family.title} brings its own sampler, which is the only one it can be painted with; leave --sampler out")
    found = [(name, hint) for hint in hints for name, (mark, _) in SAMPLERS.items() if re.search(rf"(?<![a-z])({mark})", hint)]
    name, hint = (wish, " ".join(hints)) if wish != AUTO else found[0] if found else ("", "")
    if not name:
        return None
    sampler = SAMPLERS[name][1]
    steps = STEPS.search(hint)
    sampler = replace(sampler, steps=min(max(int(steps[1]), 1), 50) if steps else sampler.steps, guided="cfg" in hint)
    if family.references:
        shifted = name == "lightning" and family.name.startswith("qwen")
        return replace(sampler, scheduler=_made("FlowMatchEulerDiscreteScheduler", **FLOW) if shifted else None)
    return sampler


def sampled(pipeline: Any, family: Family, sampler: Sampler | None) -> Family:
    """Put the sampler's scheduler on the pipeline; None: all stays. The family as it is painted with then."""
    if sampler is None:
        return family
    if sampler.scheduler is not None:
        pipeline.scheduler = sampler.scheduler(pipeline.scheduler.config)
    return sampler.row(family)
