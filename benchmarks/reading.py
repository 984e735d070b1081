"""Reading text back from pixels with an OCR engine that is not ours (Tesseract), and scoring what it read."""

from __future__ import annotations

import os
import shutil
import subprocess
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps

from engine.errors import InputError

SCALE = 3  # Tesseract wants letters about 30 pixels high


def read(pixels: np.ndarray, timeout: float = 60.0) -> str:
    """What Tesseract reads from uint8 (H, W, 3). Raises InputError where Tesseract is not installed."""
    engine = shutil.which("tesseract")
    if engine is None:
        raise InputError("the OCR engine is missing; install it (Debian: apt-get install tesseract-ocr)")
    image = ImageOps.autocontrast(Image.fromarray(pixels).convert("L"))
    if np.asarray(image).mean() < 128:
        image = ImageOps.invert(image)
    image = image.resize((image.width * SCALE, image.height * SCALE), Image.Resampling.LANCZOS)
    image = ImageOps.expand(image, 20, 255)
    data = BytesIO()
    image.save(data, "PNG", compress_level=1)
    done = subprocess.run(
        [engine, "stdin", "stdout", "--psm", "6"], input=data.getvalue(), capture_output=True, timeout=timeout, check=True,
        env={**os.environ, "OMP_THREAD_LIMIT": "1"},  # several threads wait for each other longer than they read
    )  # fmt: skip
    return done.stdout.decode("utf-8", "replace")


def errors(read_text: str, text: str) -> int:
    """Character errors: the edit distance (Levenshtein, 1966) after white space is made single spaces."""
    a, b = " ".join(read_text.split()), " ".join(text.split())
    if not a or not b:
        return max(len(a), len(b))
    other = np.array([ord(c) for c in b])
    row = np.arange(len(b) + 1)
    steps = np.arange(len(b) + 1)
    for i, char in enumerate(a, 1):
        best = np.minimum(row[1:] + 1, row[:-1] + (other != ord(char)))
        row = np.minimum.accumulate(np.concatenate(([i], best)) - steps) + steps
    return int(row[-1])
