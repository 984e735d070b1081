"""Whatever stands in a checkpoint's files, reading them ends in what they say or in a refusal; `scripts/fuzz_loading.py` for longer."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

from engine.errors import CheckpointError
from models.safetensors_file import open_safetensors
from tests.fuzz_targets import TARGETS
from tests.fuzzing import fuzz, outcome

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
WORDS = ("_class_name", "weight_map", "unet", "widths", "blocks", "layers_per_block", "pad_token", "dtype", "shape", "data_offsets")
NAMES = st.sampled_from(WORDS) | st.text(max_size=12)
TENSORS = st.dictionaries(
    st.from_regex(r"[a-z0-9_]{1,8}(\.[a-z0-9_]{1,8}){0,3}", fullmatch=True),
    st.tuples(st.lists(st.integers(0, 4), max_size=4), st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64])),
    max_size=6,
)
SOME = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("name", TARGETS)
@settings(SOME, max_examples=10)
@given(st.binary(max_size=200) | st.dictionaries(NAMES, JSON, max_size=5).map(lambda told: json.dumps(told).encode()))
def test_any_content_is_read_or_refused(name: str, data: bytes) -> None:
    outcome(TARGETS[name], data)
    if name == "header":
        outcome(TARGETS[name], len(data).to_bytes(8, "little") + data)


@SOME
@given(TENSORS)
def test_what_the_library_saves_is_read_as_the_library_reads_it(tmp_path: Path, drawn: dict[str, tuple[list[int], torch.dtype]]) -> None:
    data = save({name: torch.rand(shape).to(dtype) for name, (shape, dtype) in drawn.items()})
    (tmp_path / "x.safetensors").write_bytes(data)
    digest = hashlib.sha256()
    with open_safetensors(tmp_path / "x.safetensors", 2**20) as file:
        found = dict(file.tensors(digest))
    wanted = load(data)
    assert found.keys() == wanted.keys() and digest.hexdigest() == hashlib.sha256(data).hexdigest()
    for name, tensor in wanted.items():
        ours = found[name]
        assert ours is not None and ours.dtype == tensor.dtype and torch.equal(ours, tensor)


@SOME
@given(st.binary(max_size=120))
def test_what_is_accepted_the_library_accepts_too(tmp_path: Path, junk: bytes) -> None:
    sound = TARGETS["header"].seeds[0]
    for data in (sound[: len(junk)] + junk + sound[len(junk) :], sound[: -len(junk) or None], sound + junk):
        (tmp_path / "x.safetensors").write_bytes(data)
        try:
            with open_safetensors(tmp_path / "x.safetensors", 2**20) as file:
                names = set(file.entries)
        except CheckpointError:
            continue
        assert load(data).keys() == names


def test_files_changed_at_random_break_nothing() -> None:
    done = fuzz(TARGETS, seconds=4, seed=1)
    assert not done.broken and done.inputs > 2 * len(TARGETS) and all(len(said) > 1 for said in done.outcomes.values())
    assert sum(map(len, done.outcomes.values())) > 3 * len(TARGETS)
