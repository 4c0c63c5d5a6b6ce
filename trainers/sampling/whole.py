"""Samples of models that make pieces whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from corpus.config import ExamplesConfig, SampleConfig
from corpus.encodings import EncodedExample, Encoding
from trainers.bundle import BundleInfo
from trainers.models.generative import GenerativeModel, Request
from trainers.sampling import families, primers

# How a family's encodings take a whole score; see `primers.relaxed`.
_PRIMERS = {
    families.MELODIES.name: "mono_rnn",
    families.DRUMS.name: "drums",
    families.PERFORMANCES.name: "performances",
    families.POLYPHONY.name: "polyphony",
    families.ABC.name: "tunes",
}


def sample(
    model: GenerativeModel, encoding: Encoding, info: BundleInfo, settings: SampleConfig, seed: int
) -> tuple[Iterator[EncodedExample], Callable[[EncodedExample], Any]]:
    """(samples in order, what makes NoteSequences of them).

    Args:
      model: in evaluation; encoding: which it reads; info: of its bundle.
      settings: of the user.
      seed: of the random numbers; what a sample becomes does not depend on the others.

    Raises:
      ValueError: a setting is of no use to the model, or a primer is impossible.
    """
    families.check_whole(info.model, settings)
    primer, qpm = _examples(settings.primer_midi, info.examples_config())
    target, _ = _examples(settings.target_midi, info.examples_config())
    request = Request(settings.num_outputs, settings, encoding, seed, primer, target)
    tempo = settings.qpm or qpm
    return iter(model.generate(request)), lambda example: encoding.decode(example, tempo)


def _examples(path: str, config: ExamplesConfig) -> tuple[list[EncodedExample], float]:
    """(examples of a score, its tempo); none where no path was given."""
    if not path:
        return [], primers.DEFAULT_QPM
    piece, qpm = primers.read_primer(path)
    kind = _PRIMERS.get(families.family_of(config.encoding).name, "")
    return primers.examples(primers.relaxed(config, kind), piece), qpm
