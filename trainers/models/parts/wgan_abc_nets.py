"""The two GRUs of the Wasserstein GAN over characters, and the penalty on the critic's gradient.

torch's own GRU is fast, but has no second derivative on a processor, which the penalty needs. So
the same weights are also used a step at a time, by hand.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_SMALL = 0.1  # weights begin between this and its negative
_LITTLE = 1e-12  # keeps the root of nothing from having no slope


class CharacterGru(nn.Module):
    """A GRU over distributions of characters, or over characters, which are embedded."""

    def __init__(self, num_classes: int, embedding_size: int, units: int) -> None:
        super().__init__()
        self.embedding = _parameter(num_classes, embedding_size)
        self.gru = nn.GRU(embedding_size, units, batch_first=True)

    def embed(self, characters: Tensor) -> Tensor:
        """[..., embedding_size] of classes, int64 [...], or of distributions, [..., classes]."""
        if characters.dtype == torch.int64:
            return self.embedding[characters]
        return characters @ self.embedding

    def states(self, embedded: Tensor, first: Tensor) -> Tensor:
        """[batch, num_steps, units] of [batch, num_steps, embedding_size], from [batch, units]."""
        found: Tensor = self.gru(embedded, first[None])[0]
        return found

    def step(self, embedded: Tensor, before: Tensor) -> Tensor:
        """[rows, units], the states after one more character; it can be derived twice."""
        of_inputs, of_states, input_bias, state_bias = self.gru.all_weights[0]
        of_input = embedded @ of_inputs.T + input_bias
        of_state = before @ of_states.T + state_bias
        reset_in, update_in, new_in = of_input.chunk(3, -1)
        reset_at, update_at, new_at = of_state.chunk(3, -1)
        new = torch.tanh(new_in + torch.sigmoid(reset_in + reset_at) * new_at)
        return new + torch.sigmoid(update_in + update_at) * (before - new)


class Generator(CharacterGru):
    """Says what comes next: logits of characters. Its first state is noise."""

    def __init__(self, num_classes: int, embedding_size: int, units: int) -> None:
        super().__init__(num_classes, embedding_size, units)
        self.start = _parameter(embedding_size)
        self.leave = nn.Linear(units, num_classes)

    def first(self, count: int) -> Tensor:
        """[count, embedding_size], what goes in before the first character."""
        return self.start.expand(count, -1)

    def helped(self, real: Tensor, noise: Tensor) -> Tensor:
        """Logits [batch, num_steps, classes] of each character, knowing the real ones before.

        Args:
          real: int64 [batch, num_steps]; noise: [batch, units].
        """
        shown = torch.cat([self.first(len(real))[:, None], self.embed(real[:, :-1])], 1)
        left: Tensor = self.leave(self.states(shown, noise))
        return left


class Critic(CharacterGru):
    """Says how real a text seems: a number for each length of it."""

    def __init__(self, num_classes: int, embedding_size: int, units: int) -> None:
        super().__init__(num_classes, embedding_size, units)
        self.leave = nn.Linear(units, 1)

    def read(self, characters: Tensor) -> Tensor:
        """[batch, num_steps, units], the states after each of some characters."""
        none = self.leave.weight.new_zeros(len(characters), self.gru.hidden_size)
        return self.states(self.embed(characters), none)

    def before(self, states: Tensor) -> Tensor:
        """[batch, num_steps, units], the states before each character, of those after them."""
        return torch.cat([torch.zeros_like(states[:, :1]), states[:, :-1]], 1)

    def score(self, states: Tensor) -> Tensor:
        """[...] of [..., units]."""
        found: Tensor = self.leave(states)[..., 0]
        return found

    def score_next(self, characters: Tensor, before: Tensor) -> Tensor:
        """[...] of one more character, distributions [..., classes], after states [..., units]."""
        return self.score(self.step(self.embed(characters), before))

    def score_ends(self, texts: Tensor, lengths: Tensor) -> Tensor:
        """[batch] of texts [batch, num_steps, classes] up to their lengths; derivable twice."""
        state = texts.new_zeros(len(texts), self.gru.hidden_size)
        embedded, states = self.embed(texts), []
        for at in range(texts.shape[1]):
            state = self.step(embedded[:, at], state)
            states.append(state)
        ends = torch.stack(states, 1)[torch.arange(len(texts)), lengths - 1]
        return self.score(ends)


def penalty(scores: Tensor, inputs: Tensor) -> Tensor:
    """() how far slopes are from 1: mean square; Gulrajani et al. (2017), equation 3.

    Args:
      scores: [rows]; inputs: [rows, ...], what each was made of.
    """
    (slopes,) = torch.autograd.grad(scores.sum(), inputs, create_graph=True)
    lengths = (slopes.flatten(1).square().sum(1) + _LITTLE).sqrt()
    found: Tensor = (lengths - 1.0).square().mean()
    return found


def between(real: Tensor, made: Tensor) -> Tensor:
    """Points on the lines from real to made ones, [rows, ...] each, whose gradient is wanted."""
    share = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device)
    return (real + share * (made - real)).detach().requires_grad_()


def _parameter(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(shape).uniform_(-_SMALL, _SMALL))
