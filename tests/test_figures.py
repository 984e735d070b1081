"""What the README's figures say of a result: of which weights it is, what was painted at all, and what lies within the noise."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.test_bench import result

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))
import figures

SHIPPED = "cd" * 32


@pytest.fixture(autouse=True)
def shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "shipped", lambda: SHIPPED)


def of_weights(sha256: str, **other: Any) -> dict[str, Any]:
    found = result(**other)
    found["checkpoint"]["sha256"] = sha256
    for scenario in found["scenarios"].values():
        scenario["answer_p95"] = 1.0
    return found


def test_the_first_table_is_of_the_weights_that_ship_where_they_were_measured() -> None:
    before, shipped = of_weights("ab" * 32), of_weights(SHIPPED)
    assert figures.headline([before, shipped]) == [shipped, before]
    assert figures.headline([shipped, before]) == [shipped, before]
    assert figures.headline([before, before])[0] is before


def test_weights_before_are_never_shown_as_those_that_ship() -> None:
    table, line = (told(of_weights("ab" * 32)) for told in (figures.latency_table, lambda found: figures.brief(found, "Again")))
    assert "(abababababab, weights before)" in table and "(abababababab, weights before)" in line
    assert "weights before" not in figures.latency_table(of_weights(SHIPPED))
    random = of_weights("ab" * 32)
    random["checkpoint"]["family"] = "sd-turbo"
    assert "weights before" not in figures.latency_table(random)


def test_what_came_out_of_the_cache_is_not_shown_as_the_time_of_painting() -> None:
    scenario = {"painted": 24, "cached": 99, "p50": 21.0, "p95": 28.0, "wanders": 0.0}
    assert figures._pair(scenario) == "24 of 123 painted"
    assert figures._pair({**scenario, "painted": 99}) == "21 / 28"
    assert figures._pair(None) == "–"
    assert figures._pair({**scenario, "painted": 99, "wanders": 0.3}) == "too noisy"


def test_the_trace_is_told_with_the_spread_of_its_rounds_and_what_lies_within_it() -> None:
    def way(name: str, gain: float, *spread: float) -> dict[str, Any]:
        return {"name": name, "ms": 90 / gain, "p95": 95.0, "gain": gain, "spread": list(spread), "typing_ms": 120 / gain}

    ways = [way("stock", 1.0, 1.0, 1.0), way("ours", 12.0, 11.0, 12.5), way("ours without crops", 2.0, 1.9, 2.1), way("ours without batches", 12.4, 12.4, 13.0)]
    told = figures.techniques(result(side_by_side=ways, played={"rounds": 3, "in_turns": True, "disturbed": ["other programs took 1.0 of 2 cores"]}))
    assert "| ours without batches | 7.3 | 12.4x (12.4 to 13.0) | no difference |" in told
    assert "| ours without crops | 45.0 | 2.0x (1.9 to 2.1) | 0.17x |" in told
    assert "| ours | 7.5 | 12.0x (11.0 to 12.5) |  |" in told
    assert "3 rounds after one unseen, in turns with the stock call" in told and "meanwhile other programs took 1.0 of 2 cores" in told
    assert "10.0 ms an event, 60.0 where ours paints the whole frame anew: 6.0 times as fast" in told


def test_a_trace_that_was_played_once_says_so_and_tells_no_ratio_that_it_has_not() -> None:
    told = figures.techniques(result())
    assert "once each" in told and "against ours" not in told and "While the sentence" not in told
