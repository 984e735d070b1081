"""Reads a dataset back as shots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from engine.context import Context, ticked
from engine.desktop.apps.registry import APPS
from engine.errors import InputError
from engine.styles import from_record
from models.datasets.layout import HEADER, SAMPLES, VERSION, episode_folder, is_size, read_json, read_lines
from models.synthetic.shots import Shot, ground_memory

SHOTS = 10  # given a time, as many as the synthetic source gives


class DatasetSource:
    """A dataset's samples as shots, a run of one episode a time; each but an episode's first has its frame before.

    Raises InputError where the folder is no whole dataset, and while drawing where a file of it is missing or broken.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        header = _header(folder)
        self.size: tuple[int, int] = tuple(header["size"])
        self.samples: int = header["samples"]
        self._episodes = [episode_folder(folder, number) for number in range(header["episodes"])]
        for episode in self._episodes:
            if not (episode / SAMPLES).is_file():
                raise InputError(f"{episode / SAMPLES} is missing: the dataset is not whole; copy or write it again")
        self._read: dict[Path, list[tuple[int, dict[str, Any]]]] = {}
        self._samples(self._episodes[0])

    def __call__(self, rng: np.random.Generator) -> list[Shot]:
        """Up to SHOTS consecutive shots of a random episode."""
        order = rng.permutation(len(self._episodes))
        samples = next((found for n in order if len(found := self._samples(self._episodes[n])) > 1), None)
        if samples is None:
            raise InputError(f"{self.folder} has no two frames that follow one another; write a larger dataset")
        episode, pairs = samples[0][1]["folder"], samples[1:]
        first = int(rng.integers(max(len(pairs) - SHOTS, 0) + 1))
        return [self._shot(episode, number, record) for number, record in pairs[first : first + SHOTS]]

    def _samples(self, episode: Path) -> list[tuple[int, dict[str, Any]]]:
        """An episode's lines without what no shot needs."""
        if episode not in self._read:
            kept = {"frame", "before", "guide", "ink", "verbatim", "shaped", "forms", "ground", "style", "context", "events",
                    "pointer", "buttons", "explained", "hidden"}  # fmt: skip
            lines = []
            for number, record in read_lines(episode / SAMPLES):
                missing = sorted(kept - set(record))
                if missing:
                    raise InputError(f"line {number} of {episode / SAMPLES} has no {missing[0]!r}")
                lines.append((number, {**{key: record[key] for key in kept}, "folder": episode}))
            if not lines:
                raise InputError(f"{episode / SAMPLES} is empty; write the dataset again")
            self._read[episode] = lines
        return self._read[episode]

    def _shot(self, episode: Path, number: int, record: dict[str, Any]) -> Shot:
        try:
            frame = self._plane(episode / record["frame"], "RGB")
            slow, recent = _features(record, self.size)
            floor = self._plane(episode / record["ground"], "RGB")
            memory, known = ground_memory(floor, self.size)
            return Shot(
                size=self.size, frame=frame, before=self._plane(episode / record["before"], "RGB"),
                guide=self._plane(episode / record["guide"], "RGB"),
                verbatim=self._plane(episode / record["verbatim"], "L"), ink=self._plane(episode / record["ink"], "L"),
                shaped=self._plane(episode / record["shaped"], "L") > 0,
                forms=self._plane(episode / record["forms"], "RGBA"), slow=slow, recent=recent,
                pointer=(record["pointer"][0], record["pointer"][1]), memory=memory,
                known=known, buttons=tuple(record["buttons"]), explained=bool(record["explained"]),
            )  # fmt: skip
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"line {number} of {episode / SAMPLES} is not what this Pixel OS writes ({error}); write the dataset again"
            ) from error

    def _plane(self, path: Path, mode: str) -> np.ndarray:
        plane = read_picture(path, mode)
        if plane.shape[:2] != (self.size[1], self.size[0]):
            raise InputError(f"{path} is {plane.shape[1]}x{plane.shape[0]}, the dataset {self.size[0]}x{self.size[1]}")
        return plane


def read_picture(path: Path, mode: str = "RGB") -> np.ndarray:
    """A picture as uint8 (H, W, 3), or (H, W) for mode "L". Raises InputError."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert(mode))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"the picture {path} cannot be read: {what}") from error


def _header(folder: Path) -> dict[str, Any]:
    if not (folder / HEADER).exists():
        raise InputError(f"{folder} has no {HEADER}: it is no dataset, or not whole; pixelos dataset goes on with one begun")
    header = read_json(folder / HEADER, "the dataset's header")
    version = header.get("pixelos_dataset")
    if version != VERSION or isinstance(version, bool):
        raise InputError(f"{folder / HEADER}: dataset version {version!r} is not known; this Pixel OS reads version {VERSION}")
    if not is_size(header.get("size")):
        raise InputError(f"{folder / HEADER}: size must be [width, height], not {header.get('size')!r}")
    for name in ("samples", "episodes"):
        if type(header.get(name)) is not int or header[name] < 1:
            raise InputError(f"{folder / HEADER}: {name} must be a whole number from 1, not {header.get(name)!r}")
    return header


def _features(record: dict[str, Any], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The context's numbers, made from its words as the desktop makes them: slow, recent."""
    said = record["context"]
    context = Context({"opened": said["opened"], "recent": said["recent"]})
    shown = [window for window in reversed(record["hidden"]["windows"]) if not window["minimised"]]
    placed = [(window["app"], _shares(window["rect"], size)) for window in shown]
    features = context.features(from_record(record["style"]), said["text_size"], list(APPS), said["open"], said["hour"], placed)
    return features.slow, ticked(features.recent) if said["tick"] else features.recent


def _shares(rect: list[int], size: tuple[int, int]) -> tuple[float, float, float, float]:
    x, y, w, h = rect
    return x / size[0], y / size[1], w / size[0], h / size[1]
