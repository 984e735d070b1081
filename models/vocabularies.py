"""Tokenizers from a checkpoint's tables of words alone: what else its folder may say (templates, classes) is not read."""

from __future__ import annotations

import base64
import binascii
import re
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Any

import transformers
from tokenizers import Regex, Tokenizer, pre_tokenizers
from tokenizers.models import BPE
from transformers import AddedToken

from engine.errors import CheckpointError
from models.layout import merge_lines, merged, packed
from models.pieces import check_spelling, pieces_of
from models.plain_files import read_json

LARGEST_TABLE = 64 * 2**20  # bytes; Gemma's is 34 MB
MOST_WORDS = 2**19  # Gemma's are 262,144
MOST_MERGES = 600_000  # of one table; Gemma's are 580,604
MOST_ADDED = 4096
LONGEST_ADDED = 256  # letters
MOST_VALUES = 2**21  # of one table; Gemma's are 2.01 million
MOST_PIECES = 2**19  # values, of a table of pieces with their scores; T5's are 100,000
NUMBER = re.compile(r"[0-9]{1,9}")
EXTRA = 100  # of T5's pieces, that stand for gaps
Table = dict[str, Any]
TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
ENDINGS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
UPPER, LOWER, BEFORE = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", r"[^\r\n\p{L}\p{N}]?"
PATTERNS = (  # of Qwen 2, of Llama 3, of Mistral's Tekken
    rf"{ENDINGS}|\p{{N}}{TAIL}", rf"{ENDINGS}|\p{{N}}{{1,3}}{TAIL}",
    rf"{BEFORE}{UPPER}*{LOWER}+|{BEFORE}{UPPER}+{LOWER}*|\p{{N}}{TAIL.replace('n]*', 'n/]*')}",
)  # fmt: skip


class Words:
    """A tokenizer's words by number, the pairs that are joined, and the words that were added: its own to change, and each file of
    its folder read once. All of it raises CheckpointError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vocabulary, self.merges = self._pairs()

    @cached_property
    def table(self) -> Table:
        """The one table that newer folders hold."""
        return _read(self.folder / "tokenizer.json", LARGEST_TABLE)

    def _pairs(self) -> tuple[dict[str, int], list[Any]]:
        """From the two tables, from the one that newer folders hold, or, in a folder of ours, from the pairs alone."""
        folder = self.folder
        lines: Any
        vocabulary: Any
        if (merges := packed(folder / "merges.txt")) is not None:
            vocabulary, lines = map(copy, merged(merges))
        elif (folder / "vocab.json").is_file():
            vocabulary, lines = _read(folder / "vocab.json"), merge_lines(folder)
        else:
            model = _model(self.table)
            vocabulary, lines = model.get("vocab"), model.pop("merges", None)
        try:
            return _numbered(vocabulary), _paired(lines)
        except ValueError as error:
            raise CheckpointError(f"{folder}: the table of words must number them, and that of merges hold pairs, at most {MOST_MERGES}") from error

    @cached_property
    def added(self) -> dict[str, int]:
        """Words that were added, with their numbers, in order of these."""
        told: list[Any]
        rows: Any
        folder = self.folder
        if (folder / "added_tokens.json").is_file():
            told = list(_read(folder / "added_tokens.json").items())
        elif (folder / "tokenizer.json").is_file():
            rows = self.table.get("added_tokens")
            told = [(row.get("content"), row.get("id")) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        else:
            rows = _read(folder / "tokenizer_config.json").get("added_tokens_decoder")
            said = rows.items() if isinstance(rows, dict) else ()
            told = [(row.get("content"), int(number)) for number, row in said if NUMBER.fullmatch(number) and isinstance(row, dict)]
        sound = all(isinstance(word, str) and len(word) <= LONGEST_ADDED and type(number) is int and 0 <= number < MOST_WORDS for word, number in told)
        if len(told) > MOST_ADDED or not sound:
            raise CheckpointError(f"{folder}: at most {MOST_ADDED} words can be added, of up to {LONGEST_ADDED} letters, each with its number")
        return dict(sorted(told, key=lambda pair: pair[1]))


def qwen2(folder: Path) -> Any:
    """Bytes in pairs, as of Qwen 2, 2.5 and 3; words that were added later stand in a list of their own."""
    words = Words(folder)
    words.vocabulary |= words.added
    tokenizer = transformers.Qwen2Tokenizer(
        words.vocabulary, words.merges, pad_token="<|endoftext|>", eos_token="<|im_end|>", padding_side=_side(folder), model_max_length=2**17
    )
    return _with(tokenizer, words.added)


def mistral(folder: Path) -> Any:
    """Bytes in pairs, split by one of the patterns that are known."""
    return _split(Words(folder), bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>")


def smollm(folder: Path) -> Any:
    """The same, of SmolLM3: what fills up is named beside the table, else it is what ends."""
    told = read_json(folder / "tokenizer_config.json") if (folder / "tokenizer_config.json").is_file() else {}
    said: Table = {key: word.get("content") if isinstance(word := told.get(key), dict) else word for key in ("eos_token", "pad_token")}
    words = Words(folder)
    names: dict[str, str] = {key: word for key, word in said.items() if isinstance(word, str) and (word in words.vocabulary or word in words.added)}
    return _split(words, **{"pad_token": names.get("eos_token", "<|im_end|>"), **names})


class SplitTokenizer(transformers.PreTrainedTokenizerFast):
    """The library's, around what was made for it: the library itself would first copy that by way of JSON."""

    def __init__(self, made: Tokenizer, **named: Any) -> None:
        self._tokenizer = made
        super().__init__(**named)


def _split(words: Words, **special: str) -> Any:
    words.vocabulary |= words.added
    made = Tokenizer(BPE(words.vocabulary, words.merges, ignore_merges=_model(words.table).get("ignore_merges") is True))
    made.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(_pattern(words.table, words.folder)), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    return _with(SplitTokenizer(made, padding_side=_side(words.folder), **special), words.added)


def gemma(folder: Path) -> Any:
    """Pieces in pairs, with bytes for what no piece covers; every text has its beginning marked."""
    words = Words(folder)
    return _with(transformers.GemmaTokenizer(words.vocabulary, words.merges, padding_side=_side(folder), add_bos_token=True), words.added)


def _with(tokenizer: Any, added: dict[str, int]) -> Any:
    tokenizer.add_tokens([AddedToken(word, special=True, normalized=False) for word in added])
    return tokenizer


def t5(folder: Path) -> Any:
    """Pieces with their scores, from the table of either library."""
    pieces, spelling = _scored(folder / "tokenizer.json") if (folder / "tokenizer.json").is_file() else pieces_of(folder / "spiece.model")
    extra = sum(piece.startswith("<extra_id_") for piece, _ in pieces)
    if not extra:
        extra = EXTRA
        pieces = [*pieces, *((f"<extra_id_{i}>", 0.0) for i in reversed(range(EXTRA)))]
    return transformers.T5Tokenizer(pieces, extra_ids=extra, _spm_precompiled_charsmap=spelling or None, model_max_length=512)


TOKENIZERS = {
    "Qwen2Tokenizer": qwen2, "Qwen2TokenizerFast": qwen2, "T5Tokenizer": t5, "T5TokenizerFast": t5,
    "PreTrainedTokenizerFast": smollm, "TokenizersBackend": smollm, "PixtralProcessor": mistral, "GemmaTokenizer": gemma, "GemmaTokenizerFast": gemma,
}  # fmt: skip


def tried(tokenizer: Any) -> Any:
    """The tokenizer, once it has numbered a text. The library looks only then for some of the words that it needs, and raises an
    exception of no kind in particular where one is missing. What it was made from is let go: the library would keep it, and has no use for it."""
    tokenizer("a \u200b~")
    for tables in {"_vocab", "_merges"} & vars(tokenizer).keys():
        delattr(tokenizer, tables)
    return tokenizer


def _side(folder: Path) -> str:
    """Where a text is filled up."""
    path = folder / "tokenizer_config.json"
    return "left" if path.is_file() and read_json(path).get("padding_side") == "left" else "right"


def _pattern(table: Table, folder: Path) -> str:
    """The expression by which a table splits words: an unknown one could run for ever."""
    parts = (table.get("pre_tokenizer") or {}).get("pretokenizers", [])
    found = [part.get("pattern", {}).get("Regex") for part in parts if isinstance(part, dict) and part.get("type") == "Split"]
    if len(found) != 1 or found[0] not in PATTERNS:
        raise CheckpointError(f"{folder / 'tokenizer.json'} splits words by an expression that is not known here")
    return found[0]


def _scored(path: Path) -> tuple[list[tuple[str, float]], bytes]:
    """Pieces with their scores, and the table by which text is spelled before it is cut."""
    table = _read(path, LARGEST_TABLE, MOST_PIECES)
    pieces: Any = _model(table).get("vocab")
    pairs = isinstance(pieces, list) and len(pieces) <= MOST_WORDS and all(isinstance(piece, list) and len(piece) == 2 for piece in pieces)
    if not pairs or not all(isinstance(word, str) and isinstance(score, (int, float)) for word, score in pieces):
        raise CheckpointError(f"{path} must hold pieces with their scores")
    normalizer = table.get("normalizer") or {}
    spelling = [part.get("precompiled_charsmap") for part in (normalizer, *normalizer.get("normalizers", []))]
    try:
        found = base64.b64decode(next(filter(None, spelling), ""), validate=True)
        check_spelling(found)
    except (binascii.Error, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: precompiled_charsmap is damaged; copy the file again") from error
    return [(word, float(score)) for word, score in pieces], found


def _numbered(vocabulary: Any) -> dict[str, int]:
    """The words, if each has its number. Raises ValueError."""
    if not isinstance(vocabulary, dict) or len(vocabulary) > MOST_WORDS or not set(map(type, vocabulary.values())) <= {int}:
        raise ValueError("words without numbers, or too many")
    if not 0 <= min(vocabulary.values(), default=0) <= max(vocabulary.values(), default=0) < MOST_WORDS:
        raise ValueError("numbers that are none of a word's")
    return vocabulary


def _paired(lines: Any) -> list[Any]:
    """Pairs in the place of lines, so that each takes the memory that the one before gave back. Raises ValueError."""
    if not isinstance(lines, list) or len(lines) > MOST_MERGES or not set(map(type, lines)) <= {list, str}:
        raise ValueError("no merges, or too many")
    for place, line in enumerate(lines):
        a, b = line.split(" ") if isinstance(line, str) else line
        lines[place] = str(a), str(b)
    return lines


def _model(table: Table) -> Table:
    """What a newer folder's one table says of words and merges."""
    model = table.get("model")
    return model if isinstance(model, dict) else {}


def _read(path: Path, largest: int | None = None, most: int = MOST_VALUES) -> Table:
    if not path.is_file():
        raise CheckpointError(f"{path} is missing; the checkpoint is incomplete, copy it again")
    return read_json(path, largest, most) if largest else read_json(path)
