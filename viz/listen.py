"""`python -m viz.listen`: a page to hear a model's samples beside real music, with a blind test.

Writes samples/<model>/listen.html: pairs of a sample and a held-out piece of its genre in a drawn
order (which one was made by a person?), then all samples with their settings and the training
pieces next to them. `make evaluate` finds those; `make audio` renders what the page then offers.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence

from corpus import command, files
from corpus.config import Config
from corpus.layout import Layout
from viz import listen_page, listen_pairs, listen_real, listen_samples
from viz.listen_page import Compared
from viz.listen_real import RealMusic
from viz.listen_samples import SampledGenre

_MAX_REAL = 20


def make(config: Config) -> tuple[str, int]:
    """Writes the page; returns its path and how many pairs the blind test has.

    Raises:
      ValueError: the model has no samples.
    """
    genres = listen_samples.sampled(config)
    real = RealMusic(config)
    compared = [_compared(genre, real) for genre in genres]
    drawn = [
        pair
        for each in compared
        for pair in listen_pairs.pairs(
            each.sampled.genre, each.sampled.samples, each.real, config.seed
        )
    ]
    pairs = [pair for _, pair in sorted(drawn, key=lambda drawn_pair: drawn_pair[0])]
    written = listen_page.render(
        config.model_name,
        config.examples.encoding,
        compared,
        pairs,
        real,
    )
    path = Layout(config.data).listening(config.model_name)
    files.write_bytes(path, written.encode())
    return path, len(pairs)


def _compared(genre: SampledGenre, real: RealMusic) -> Compared:
    """As many held-out excerpts as there are samples, about as long."""
    arrays = [sample.arrays for sample in genre.samples]
    length = statistics.median(map(listen_real.sounding, arrays)) if arrays else 0.0
    seconds = min(max(length, listen_pairs.MIN_SECONDS), listen_pairs.MAX_SECONDS)
    count = min(len(arrays), _MAX_REAL)
    beside = real.held_out(genre.genre, count, seconds, listen_real.tempo(arrays))
    return Compared(genre, beside, seconds)


def main(argv: Sequence[str]) -> int:
    """Writes the page; returns the exit code."""
    parser = command.parser("viz.listen", (__doc__ or "").strip())
    config = command.load_config(parser.parse_args(argv))
    path, count = make(config)
    print(f"listen: {count} pairs to compare")
    print(f"page: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
