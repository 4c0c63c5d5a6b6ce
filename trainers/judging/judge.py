"""All figures of one genre's samples, beside those of real music."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from trainers.judging import bleu, figures, originality, overlap
from trainers.judging.bleu import Bleu, References
from trainers.judging.bootstrap import Estimate, Sample, difference
from trainers.judging.music import Music, line_of, windows
from trainers.judging.originality import Library, Originality, spread
from trainers.judging.overlap import Overlap
from trainers.judging.variety import Variety, variety

MAX_WINDOWS = 400
_MAX_REFERENCES = 400


@dataclass(frozen=True)
class Pair:
    """A figure of samples and of held-out music, and how much higher that of the samples is."""

    samples: Estimate | None
    real: Estimate | None
    difference: Estimate | None


@dataclass
class Judgement:
    """One genre.

    Attributes:
      genre: its name; samples: how many there are.
      losses: split -> nats per event, and examples, as the model's file states them.
      num_bars: of the windows that figures are of; 0 where there is none.
      sample_windows, real_windows: how many.
      figures: name -> figure.
      overlaps: feature -> of samples and real music, and of two halves of real music.
      originality, bleu, real_bleu: None where something is missing; notes say what.
      notes: in sentences.
      variety, real_variety: how far the windows of each differ among themselves.
      own_figures: words -> split -> value, as the model's file states them.
      samples_hash: of the samples, as their report has it; empty for files of others.
    """

    genre: str
    samples: int
    losses: dict[str, dict[str, float | int]] = field(default_factory=dict)
    num_bars: int = 0
    sample_windows: int = 0
    real_windows: int = 0
    figures: dict[str, Pair] = field(default_factory=dict)
    overlaps: dict[str, tuple[Overlap | None, Overlap | None]] = field(default_factory=dict)
    originality: Originality | None = None
    bleu: Bleu | None = None
    real_bleu: Bleu | None = None
    variety: Variety | None = None
    real_variety: Variety | None = None
    own_figures: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    samples_hash: str = ""


def rng_of(seed: int, *what: str) -> np.random.Generator:
    """Draws that depend on the seed and on what they are for."""
    return np.random.default_rng([seed, *(zlib.crc32(word.encode()) for word in what)])


def window_bars(samples: Sequence[Music], real: Sequence[Music]) -> int:
    """Bars that nearly all samples and half of the real music have; 0 without samples."""
    if not samples:
        return 0
    bars = [float(np.quantile([music.num_bars for music in samples], 0.1))]
    if real:
        bars.append(float(np.median([music.num_bars for music in real])))
    return max(int(min(bars)), 1)


def cut(music: Sequence[Music], num_bars: int, most: int, rng: np.random.Generator) -> list[Music]:
    """Windows, of as many owners as there are."""
    return spread([window for each in music for window in windows(each, num_bars)], rng)[:most]


def halves(music: Sequence[Music], rng: np.random.Generator) -> tuple[list[Music], list[Music]]:
    """The music in two halves of which no owner is in both."""
    owners = sorted({each.owner for each in music})
    first = {owners[at] for at in rng.permutation(len(owners))[::2]}
    return (
        [each for each in music if each.owner in first],
        [each for each in music if each.owner not in first],
    )


def judge(
    genre: str,
    samples: Sequence[Music],
    held_out: Sequence[Music],
    library: Library,
    names: Mapping[str, str],
    seed: int,
) -> Judgement:
    """The judgement of one genre's samples, but for the losses.

    Args:
      genre: its name.
      samples: whole ones, one or more.
      held_out: real music that the model has not learnt from.
      library: what it has learnt from.
      names: owner -> how a piece is called.
      seed: of all draws.
    """
    found = Judgement(genre, len(samples))
    if not held_out:
        found.notes.append("no held-out piece: figures of real music are missing")
    _judge_figures(found, samples, held_out, seed)
    if not len(library):
        found.notes.append("no training line that is long enough: originality is left out")
    else:
        rng = rng_of(seed, genre, "originality")
        found.originality = originality.judge(samples, held_out, library, names, rng)
        if short := found.originality.too_short:
            found.notes.append(
                f"{len(short)} of {len(samples)} samples have under {originality.MIN_WORDS + 2} "
                "onsets: left out of originality"
            )
    _judge_bleu(found, samples, held_out, seed)
    return found


def _judge_figures(
    found: Judgement, samples: Sequence[Music], held_out: Sequence[Music], seed: int
) -> None:
    """Fills in figures and overlaps."""
    rng = rng_of(seed, found.genre, "figures")
    bars = found.num_bars = window_bars(samples, held_out)
    ours, real = (cut(music, bars, MAX_WINDOWS, rng) for music in (samples, held_out))
    found.sample_windows, found.real_windows = len(ours), len(real)
    if short := sum(music.num_bars < bars for music in samples):
        found.notes.append(
            f"{short} of {len(samples)} samples have under {bars} bars: no figures of them"
        )
    alike = min(len(ours), len(real) or len(ours))
    found.variety, found.real_variety = variety(ours, alike), variety(real, alike)
    for name in figures.FIGURES:
        one, other = (_values(name, music, bars) for music in (ours, real))
        if one.num_values or other.num_values:
            more = difference(one, other, rng)
            found.figures[name] = Pair(one.estimate(rng), other.estimate(rng), more)
    ours, real = ours[: overlap.MAX_MUSIC], real[: overlap.MAX_MUSIC]
    if min(len(ours), len(real)) < overlap.MIN_MUSIC:
        found.notes.append(
            f"{len(ours)} windows of samples and {len(real)} of held-out music: under "
            f"{overlap.MIN_MUSIC}, so overlap and divergence are left out"
        )
        return
    with_real = overlap.features(real, bars)
    of_samples = overlap.compare(overlap.features(ours, bars), with_real)
    parts = [overlap.features(half, bars) for half in halves(real, rng)]
    of_real = overlap.compare(*parts)
    for name in with_real:
        if name in of_samples or name in of_real:
            found.overlaps[name] = (of_samples.get(name), of_real.get(name))


def _values(name: str, music: list[Music], num_bars: int) -> Sample:
    return Sample(figures.values(name, music, num_bars), [window.owner for window in music])


def _judge_bleu(
    found: Judgement, samples: Sequence[Music], held_out: Sequence[Music], seed: int
) -> None:
    """Fills in BLEU: samples, and one half of the held-out music, against the other half."""
    rng = rng_of(seed, found.genre, "bleu")
    lines = [line_of(music) for music in samples]
    first, second = ([line_of(music) for music in half] for half in halves(held_out, rng))
    length = originality.excerpt_length(lines, [*first, *second])
    references, real = (
        [line.words for line in originality.excerpts_of(half, length, most, rng)]
        for half, most in ((second, _MAX_REFERENCES), (first, originality.MAX_EXCERPTS))
    )
    ours = [
        part.words
        for line in lines
        for part in originality.parts_of(line, length)
        if len(part.words) == length
    ]
    if length < bleu.MAX_ORDER or not references or not ours:
        found.notes.append("too few held-out pieces, or too short ones: BLEU is left out")
        return
    against = References(references)
    found.bleu = against.score(ours, rng)
    found.real_bleu = against.score(real, rng) if real else None
