"""Boosted trees that guess a number of each note from the note's own features alone.

Trees and recurrent nets err differently, so their mean errs less than either. scikit-learn grows
them (`HistGradientBoostingRegressor`); what it found is kept as arrays of one shape, which go with
the weights of a net into its bundle, and need neither pickle nor scikit-learn to be read. Every
tree is laid out as a full one, whose node `i` leads to `2 i + 1` and `2 i + 2`: whatever numbers
a stranger's file holds, going down a tree ends.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

_NUM_TREES, _DEPTH = 400, 6
_RATE, _REGULARIZATION, _SHARE_OF_FEATURES = 0.05, 1.0, 0.3
_LEAST_NOTES = 200  # of a leaf; of few notes in all a fiftieth
_ALWAYS = float(np.finfo(np.float32).max)  # a threshold that everything is below
_ROWS = 4096  # that go down all trees at once

Rows = npt.NDArray[np.float32]


class Trees(nn.Module):
    """The sum of what the leaves say, and a constant; 0 until `grow`.

    Attributes:
      grown: () bool, whether there are trees.
      base: () the constant.
      feature: [trees, 2 ** depth - 1] int16, which column a node asks; threshold: up to what the
        way leads to its first child. value: [trees, 2 ** depth] of the leaves.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        nodes = 2**_DEPTH - 1
        self.num_features = num_features
        self.grown: Tensor
        self.base: Tensor
        self.feature: Tensor
        self.threshold: Tensor
        self.value: Tensor
        self.register_buffer("grown", torch.zeros((), dtype=torch.bool))
        self.register_buffer("base", torch.zeros(()))
        self.register_buffer("feature", torch.zeros(_NUM_TREES, nodes, dtype=torch.int16))
        self.register_buffer("threshold", torch.full((_NUM_TREES, nodes), _ALWAYS))
        self.register_buffer("value", torch.zeros(_NUM_TREES, nodes + 1))

    def forward(self, rows: Tensor) -> Tensor:
        """[count] of [count, num_features]."""
        return torch.cat([self._said(some) for some in torch.split(rows, _ROWS)])

    def _said(self, rows: Tensor) -> Tensor:
        tree = torch.arange(len(self.value), device=rows.device)
        node = torch.zeros(len(rows), len(tree), dtype=torch.int64, device=rows.device)
        for _ in range(_DEPTH):
            asked = rows.gather(1, self.feature[tree, node].long())
            node = 2 * node + 1 + (asked > self.threshold[tree, node]).long()
        return self.base + self.value[tree, node - self.threshold.shape[1]].sum(1)

    def grow(self, rows: Rows, target: Rows, seed: int) -> None:
        """Learns [count] numbers of [count, num_features]; the same for a seed.

        Fitted to the absolute error: its gradients are 1 and -1, whose sums are exact in any order.
        """
        from sklearn.ensemble import HistGradientBoostingRegressor
        from threadpoolctl import threadpool_limits

        boosting = HistGradientBoostingRegressor(
            loss="absolute_error",
            learning_rate=_RATE,
            max_iter=_NUM_TREES,
            max_depth=_DEPTH,
            max_leaf_nodes=2**_DEPTH,
            min_samples_leaf=min(_LEAST_NOTES, max(len(rows) // 50, 1)),
            l2_regularization=_REGULARIZATION,
            max_features=_SHARE_OF_FEATURES,
            early_stopping=False,
            random_state=seed % 2**32,
        )
        with threadpool_limits(limits=1):
            boosting.fit(rows, target)
        self._take(boosting)

    def _take(self, boosting: Any) -> None:
        """What scikit-learn has grown; its nodes are not public, a test holds them to it."""
        self.base.fill_(float(boosting._baseline_prediction[0, 0]))
        for number, (predictor,) in enumerate(boosting._predictors):
            self._lay_out(number, predictor.nodes)
        self.grown.fill_(True)

    def _lay_out(self, number: int, nodes: npt.NDArray[Any]) -> None:
        """A tree as a full one: below a leaf that ends early all ways lead to what it says."""
        inner = self.threshold.shape[1]
        places = [(0, 0)]
        while places:
            place, at = places.pop()
            node = nodes[at]
            if place >= inner:
                self.value[number, place - inner] = float(node["value"])
                continue
            children = at, at
            if not node["is_leaf"]:
                self.feature[number, place] = int(node["feature_idx"])
                self.threshold[number, place] = _rounded_down(float(node["num_threshold"]))
                children = int(node["left"]), int(node["right"])
            places += [(2 * place + 1, children[0]), (2 * place + 2, children[1])]

    def check(self) -> None:
        """Raises ValueError where a node asks for a column that there is not."""
        if ((self.feature < 0) | (self.feature >= self.num_features)).any():
            raise ValueError(f"its trees ask for other columns than 0 to {self.num_features - 1}")


def _rounded_down(threshold: float) -> float:
    """The largest float32 of at most this: a float32 is below either or above both."""
    rounded = np.float32(threshold)
    above = float(rounded) > threshold
    return float(np.nextafter(rounded, np.float32(-np.inf))) if above else float(rounded)
