"""What a network was made with, kept beside it, as diffusers' `ModelMixin` keeps it. That itself takes diffusers' loaders and quantisers in, and with
them compilers: seven of the ten seconds in which a painter of the bundled family used to start."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import nn

Init = TypeVar("Init", bound=Callable[..., None])


class Config(dict[str, Any]):
    """What it was made with, by name; as attributes, too."""

    def __getattr__(self, name: str) -> Any:
        if name not in self:
            raise AttributeError(name)
        return self[name]


class Configured(nn.Module):
    """A network whose `__init__` is `kept`."""

    config: Config
    _repeated_blocks: tuple[str, ...] = ()  # the classes, by name, of blocks that it is made of again and again

    @property
    def device(self) -> torch.device:
        """Where its numbers lie."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Of what type they are."""
        return next(self.parameters()).dtype

    def compile_repeated_blocks(self, **how: Any) -> None:
        """torch.compile those; how: its arguments."""
        for module in self.modules():
            if type(module).__name__ in self._repeated_blocks:
                module.compile(**how)


def kept(init: Init) -> Init:
    """An `__init__` whose arguments, those that were not given among them, are the network's `config`."""
    told = inspect.signature(init)

    @wraps(init)
    def made(self: Configured, *given: Any, **named: Any) -> None:
        bound = told.bind(self, *given, **named)
        bound.apply_defaults()
        init(self, *given, **named)
        self.config = Config([*bound.arguments.items()][1:])

    return made  # type: ignore[return-value]
