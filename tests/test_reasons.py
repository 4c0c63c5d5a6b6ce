"""Every reason is told in words, and every hint is one that works."""

from __future__ import annotations

import importlib.util
import re
from collections import Counter

import pytest

from corpus.config import ExamplesConfig
from corpus.encodings import ENCODINGS, open_encoding
from corpus.encodings.reasons import REASONS, Teller

HAS_MIDITOK = importlib.util.find_spec("miditok") is not None
NAMES = [name for name in sorted(ENCODINGS) if HAS_MIDITOK or not name.startswith("miditok")]


@pytest.mark.parametrize("name", NAMES)
def test_every_reason_is_known_and_its_hint_can_be_typed(name: str) -> None:
    for way in ("magenta", "full"):
        config = ExamplesConfig(encoding=name, extraction=way)
        before = Teller.of(config)
        for reason in (*open_encoding(config).reasons, "encoder_failed"):
            assert reason in REASONS
            assert "{" not in before.words(reason)
            hint = before.remedy(Counter({reason: 3}))
            assert not ("EXTRACTION" in hint and way == "full")
            typed = re.findall(r'SETTINGS="([^"]+)"', hint)
            assert len(typed) <= 1
            for setting in typed:
                better = ExamplesConfig(encoding=name, extraction=way, settings=(setting,))
                open_encoding(better)
                assert Teller.of(better).present != before.present


def teller(name: str, *settings: str, way: str = "magenta") -> Teller:
    return Teller.of(ExamplesConfig(encoding=name, extraction=way, settings=settings))


def test_words_name_the_setting_as_it_is() -> None:
    assert teller("attention_rnn").words("too_short") == "too short for min_bars=7"
    assert teller("attention_rnn", "min_bars=3").words("too_short") == "too short for min_bars=3"
    assert teller("performance").words("too_short") == "too short for min_events=32"
    assert teller("polyphony").words("too_long") == "too long for max_steps=512"
    assert "tempos" in teller("notewise").words("too_long")


def test_hints_are_for_what_is_most_frequent_and_can_be_helped() -> None:
    told = teller("drum_kit")
    assert told.remedy(Counter(unusable_velocity=9, too_short=2)) == (
        'SETTINGS="min_bars=4" or EXTRACTION=full'
    )
    assert teller("drum_kit", way="full").remedy(Counter(no_drums=9)) == ""
    assert teller("drum_kit", "min_bars=0", way="full").remedy(Counter(too_short=9)) == ""
    assert teller("notewise", "chamber=true").remedy(Counter(not_chamber=1)) == (
        'SETTINGS="chamber=false"'
    )
    assert told.remedy(Counter()) == ""
    chords = Counter(no_chords=1)
    assert teller("basic_improv").remedy(chords).startswith('SETTINGS="infer_missing_chords=true"')
    assert teller("basic_improv", way="full").remedy(chords) == ""


def test_what_was_dropped_is_told_by_how_much() -> None:
    counts = Counter(too_short=1200, no_drums=7, unusable_meter=3, too_long=2, encoder_failed=1)
    told = teller("drum_kit").dropped(counts)
    assert told.startswith("1,200 x too short for min_bars=7, 7 x without drums, 3 x ")
    assert told.endswith(", 3 x for other reasons")
