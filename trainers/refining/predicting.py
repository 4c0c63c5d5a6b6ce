"""A net over whole scores: what it says of every note."""

from __future__ import annotations

import numpy as np
import torch

from trainers.refining import tasks
from trainers.refining.nets import RefineNet, Sequence, Told
from trainers.refining.score import Floats, Score
from trainers.refining.velocity_features import levels

_CHUNK = 512  # notes that are read at once
_BATCH = 32


@torch.no_grad()
def guesses(net: RefineNet, told: Sequence) -> Floats:
    """(n,) what the net says of the notes of a score."""
    was_training = net.training
    net.eval()
    count = len(told.target)
    whole = [slice(at, at + _CHUNK) for at in range(0, count - _CHUNK + 1, _CHUNK)]
    groups = [whole[at : at + _BATCH] for at in range(0, len(whole), _BATCH)]
    if count % _CHUNK:
        groups.append([slice(count - count % _CHUNK, count)])
    said = [net.guess(Told.of([told.take(chunk) for chunk in group])) for group in groups]
    net.train(was_training)
    found: Floats = torch.cat([each.flatten() for each in said]).double().numpy()
    return found


def restored(net: RefineNet, score: Score, seconds: Floats) -> Floats:
    """(n,) seconds that the notes should last, of those that they last now."""
    if not len(score):
        return seconds
    ratios: Floats = np.exp(guesses(net, tasks.told_durations(score, seconds)))
    return seconds * ratios


def velocities(net: RefineNet, score: Score) -> Floats:
    """(n,) velocities that the notes should have, 1 to 127, as the Velocity Net guesses them."""
    found = np.empty(len(score))
    if len(score):
        found[tasks.in_time(score)] = guesses(net, tasks.told_velocities(score))
    return found


def at_level(score: Score, loud: Floats, level: Floats, dynamics: float = 1.0) -> Floats:
    """(n,) velocities moved so that each part (each drum) has a mean as `levels` gives it.

    Their distances from it are multiplied by `dynamics`.
    """
    return np.clip(level + dynamics * (loud - levels(score, loud)), 1, 127)
