"""A training of a refining net while it runs: a bar where somebody looks, and TensorBoard."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from trainers.refining.training import Trainer


@contextmanager
def shown(trainer: Trainer, folder: str) -> Iterator[Callable[[], None]]:
    """Gives what is to be called after each step.

    Args:
      trainer: whose steps are shown, from where it stands.
      folder: where TensorBoard finds losses, in nats, and held-out errors.
    """
    now = trainer.progress
    bar = tqdm(
        total=trainer.num_steps, initial=now.step, desc=f"train {trainer.kind}", unit="step",
        disable=not sys.stderr.isatty(), leave=False,
    )  # fmt: skip
    board = SummaryWriter(folder, purge_step=now.step + 1)
    with closing(board), closing(bar):

        def show() -> None:
            loss = now.watch.mean_loss
            board.add_scalar("loss/train", loss, now.step)
            last = now.history[-1] if now.history else {}
            if last.get("step") == now.step and "error" in last:
                board.add_scalar("error/validation", last["error"], now.step)
            bar.set_postfix(loss=f"{loss:.3f}")
            bar.update()

        yield show
