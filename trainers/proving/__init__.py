"""Public checks of models: a table each, printed by `trainers.evaluate --benchmark NAME`."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass

from corpus.config import Config


@dataclass(frozen=True)
class Proof:
    """A check.

    Attributes:
      module: below trainers.proving; function: in it, of (data, config), which yields lines.
      words: what is shown, and on which data.
    """

    module: str
    words: str
    function: str = "prove"


PROOFS = {
    "jsb": Proof("polyphonic", "test nats per frame of JSB_Chorales.mat", "prove_jsb"),
    "nottingham": Proof("polyphonic", "the same of Nottingham.mat", "prove_nottingham"),
    "seq_autoencoder": Proof("seq_autoencoder", "losses and code distances of four autoencoders"),
    "oracle": Proof("oracle", "SeqGAN against a network that is known; no data"),
    "abc_tunes": Proof("abc_tunes", "BLEU and legibility of wgan_abc, of a folder of ABC files"),
    "rolls": Proof("rolls", "scale, entropy and collapse of the GANs of piano rolls"),
    "blanks": Proof("blanks", "notes that pix2pix restores"),
    "velocities": Proof("velocities", "Velocity Nets on all pieces of a DATA folder"),
}


def prove(name: str, data: str, config: Config) -> Iterator[str]:
    """Lines to print.

    Args:
      name: of PROOFS; data: a path, empty for what the check takes by itself.
      config: of the run.

    Raises:
      ValueError: the data is not there, or is none of the kind.
    """
    proof = PROOFS[name]
    module = importlib.import_module(f"trainers.proving.{proof.module}")
    yield from getattr(module, proof.function)(data, config)
