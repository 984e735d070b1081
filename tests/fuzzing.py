"""What reads a checkpoint's files, given sound files that were changed at random.

Whatever an input holds, the answer must be what it says or a CheckpointError: in LONGEST_S, in MOST_BYTES, without a
crash. Inputs that are refused in a new way are kept and changed further.

Of memory two meters are read: what Python's own allocator gave out (tracemalloc), and, where the system tells (`tests.bounds.Memory`),
by how much the whole process grew at its peak, which sees what libraries in C and Rust take, but not what is taken and never written
to. The first keeps books that the second counts, and that take time: what goes over a bound is measured again, by each alone.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from engine.errors import CheckpointError
from tests.bounds import Memory, alarmed

LONGEST_S = 2.0  # of the processor's time
HUNG_S = 60.0  # by the clock on the wall, however busy the machine is
MOST_BYTES = 256 * 2**20
LARGEST = 18 * 2**20  # bytes of one input
TOKENS: tuple[bytes, ...] = (
    b"[", b"]", b"{", b"}", b",", b":", b'"', b"\\", b"\\u0000", b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-1",
    b"0.5", b"9" * 400, b"9" * 5000, b"9223372036854775808", b'"__metadata__"', b'"../../x"', b'"org/repo"', b'"auto_map"',
    b'"attn_implementation"', b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xf0\x9f\x98\x80", b"[" * 2000, b'{"a":' * 2000,
)  # fmt: skip
ODD: tuple[Any, ...] = (None, True, -1, 0, 1, 2**31, 2**63, 10**30, 0.5, 1e308, "", "x" * 2000, "../x", [], {}, [[]], ["os", "system"], [1] * 2000)


class Target(NamedTuple):
    """read: reads an input that was put into a folder; seeds: sound inputs."""

    read: Callable[[bytes, Path], object]
    seeds: tuple[bytes, ...]


def outcome(target: Target, data: bytes) -> str:
    """What reading one input came to: "sound", or the refusal without its names and numbers.

    Raises whatever is no CheckpointError, and AssertionError for an input that took too long, too much or hung.
    """
    said, took, traced, grown = _measured(target, data)
    if took > LONGEST_S or max(traced, grown) > MOST_BYTES:  # the meters count what other threads of this process do, too: it must come again
        traced = _measured(target, data)[2]
        said, took, _, grown = _measured(target, data, tracing=False)
    if took > LONGEST_S or max(traced, grown) > MOST_BYTES:
        raise AssertionError(f"took {took:.1f} s and {max(traced, grown) >> 20} MB: {said}")
    return said


def _measured(target: Target, data: bytes, tracing: bool = True) -> tuple[str, float, int, int]:
    """What it came to, seconds of processor time, and bytes at the most: of Python's own, where they are traced, and of the process."""
    with tempfile.TemporaryDirectory() as home:
        memory = Memory()
        if tracing:
            tracemalloc.start()
        begun = time.process_time()  # of this process alone: others may keep the machine busy
        try:
            with alarmed(HUNG_S):
                target.read(data, Path(home))
            said = "sound"
        except CheckpointError as error:
            said = re.sub(r"\d+|'[^']*'", "_", str(error).replace(home, ""))
        finally:
            took, (_, peak) = time.process_time() - begun, tracemalloc.get_traced_memory()
            tracemalloc.stop()
    return said, took, peak, int(memory.more_mb * 2**20)


def changed(data: bytes, chance: random.Random) -> bytes:
    """An input, a little or very much otherwise."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        data = chance.choice((_bytes, _token, _piece, _value, _value))(data, chance)
    if chance.random() < 0.005:
        piece = data[chance.randrange(len(data) + 1) :][: chance.randrange(1, 40)] or b"[]"
        at = chance.randrange(len(data) + 1)
        data = data[:at] + piece * (chance.randrange(LARGEST) // len(piece)) + data[at:]
    if data[:1] not in (b"{", b"[") and chance.random() < 0.5:  # so that what lies behind the length is looked at
        data = max(len(data) - 8 - chance.choice((0, 16)), 0).to_bytes(8, "little") + data[8:]
    return data[:LARGEST]


def _bytes(data: bytes, chance: random.Random) -> bytes:
    out = bytearray(data or b"{")
    for _ in range(chance.randrange(1, 4)):
        out[chance.randrange(len(out))] = chance.randrange(256)
    return bytes(out)


def _token(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(TOKENS) + data[at + chance.choice((0, 0, 1, 8)) :]


def _piece(data: bytes, chance: random.Random) -> bytes:
    a, b = sorted((chance.randrange(len(data) + 1), chance.randrange(len(data) + 1)))
    return data[:a] + data[b:] if chance.random() < 0.5 else data[:b] + data[a:]


def _value(data: bytes, chance: random.Random) -> bytes:
    """JSON with one value exchanged, where it is JSON; with the head of a header kept in front."""
    head = b"" if data[:1] in b"{[" else data[:8]
    try:
        told, rest = json.JSONDecoder().raw_decode(data[len(head) :].decode("latin-1"))
        tail = data[len(head) + rest :]
        at: Any = told
        while isinstance(at, (dict, list)) and at:
            place = chance.choice(list(at) if isinstance(at, dict) else range(len(at)))
            if not isinstance(at[place], (dict, list)) or chance.random() < 0.3:
                at[place] = chance.choice(ODD)
                break
            at = at[place]
        text = json.dumps(told).encode()
    except (ValueError, RecursionError):
        return data
    return (len(text).to_bytes(8, "little") if head else b"") + text + tail


class Fuzzed(NamedTuple):
    """How many inputs were read, the outcomes by target, and what broke the rules."""

    inputs: int
    outcomes: dict[str, set[str]]
    broken: list[str]


def fuzz(targets: Mapping[str, Target], seconds: float, seed: int, out: Path | None = None) -> Fuzzed:
    """Change and read until the time is up. out: a folder for the inputs that broke the rules."""
    chance, count, broken = random.Random(seed), 0, list[str]()
    corpus = {name: list(target.seeds) for name, target in targets.items()}
    outcomes = {name: {outcome(target, data) for data in target.seeds} for name, target in targets.items()}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        name = list(targets)[count % len(targets)]
        data, count = changed(chance.choice(corpus[name]), chance), count + 1
        try:
            said = outcome(targets[name], data)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a panic in Rust is no Exception
            broken.append(f"{name}: {type(error).__name__}: {error}")
            if out is not None:
                out.mkdir(parents=True, exist_ok=True)
                (out / f"{name}-{hashlib.sha256(data).hexdigest()[:16]}").write_bytes(data)
            continue
        if said not in outcomes[name] and len(data) < 2**16:
            corpus[name].append(data)
        outcomes[name].add(said)
    return Fuzzed(count, outcomes, broken)
