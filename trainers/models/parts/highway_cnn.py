"""A convolutional network over events with a highway layer: real or made?

Source: Yu et al., SeqGAN, AAAI 2017, appendix, and LantaoYu/SeqGAN: filters of many widths, each
one's strongest answer over the sequence, a highway layer, dropout, a score. Weights of filters
begin with a standard deviation of 0.1, embeddings evenly from -1 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainers.models.parts.dropout import dropout

_SPREAD = 0.1
_ROWS = 2048  # judged at once


class HighwayCnn(nn.Module):
    """Scores sequences; above 0 means real.

    Args:
      num_classes: of the events.
      embedding_size: numbers that a class is embedded in.
      filters: (width in events, how many) of the filters.
      keep_prob: share of features that is kept while training.
    """

    def __init__(
        self,
        num_classes: int,
        embedding_size: int,
        filters: Sequence[tuple[int, int]],
        keep_prob: float,
    ) -> None:
        super().__init__()
        self._keep_prob = keep_prob
        self.embedding = nn.Embedding(num_classes, embedding_size)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(embedding_size, count, width) for width, count in filters
        )
        num_features = sum(count for _, count in filters)
        self.gate = nn.Linear(num_features, num_features)
        self.change = nn.Linear(num_features, num_features)
        self.score = nn.Linear(num_features, 1)
        nn.init.uniform_(self.embedding.weight, -1.0, 1.0)
        for layer in (*self.convolutions, self.score):
            nn.init.trunc_normal_(layer.weight, 0.0, _SPREAD, -2 * _SPREAD, 2 * _SPREAD)
            nn.init.constant_(layer.bias, _SPREAD)

    def forward(self, ids: Tensor) -> Tensor:
        """Scores [rows] of sequences, int64 [rows, length], as logits of being real."""
        embedded = self.embedding(ids).transpose(1, 2)
        answers = [F.relu(layer(embedded)).amax(2) for layer in self.convolutions]
        features = torch.cat(answers, 1)
        gate = torch.sigmoid(self.gate(features))
        features = gate * F.relu(self.change(features)) + (1.0 - gate) * features
        features = dropout(features, self._keep_prob, is_training=self.training)
        found: Tensor = self.score(features).squeeze(1).float()
        return found

    @torch.no_grad()
    def chances(self, ids: Tensor) -> Tensor:
        """Probabilities [rows] of being real, nothing dropped out."""
        was_training = self.training
        self.eval()
        found = torch.cat([torch.sigmoid(self(part)) for part in torch.split(ids, _ROWS)])
        self.train(was_training)
        return found

    def penalty(self) -> Tensor:
        """Half of the sum of squares of the last layer, as the source has it."""
        return 0.5 * (self.score.weight.square().sum() + self.score.bias.square().sum())
