from __future__ import annotations

import pytest
import torch

from trainers.features import Features, Feeding
from trainers.hparams import Hparams
from trainers.models.awd_lstm import AwdLstm
from trainers.models.base import SequenceModel
from trainers.models.event_rnn import EventRnn
from trainers.sampling.fast_steps import MOST_ROWS, FastSteps, fastest

torch.set_num_threads(1)
EVENTS = Feeding("performance", "1", (11,), 0, (11,))
SMALL = Hparams(rnn_layer_sizes=(7, 9), dropout_keep_prob=1.0)


def shaken(model: SequenceModel) -> SequenceModel:
    """Weights, biases too, that no two of are alike."""
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.randn(parameter.shape)
    return model.eval()


def features(feeding: Feeding, rows: int) -> Features:
    ids = [torch.randint(0, size, (rows,)) for size in feeding.id_sizes]
    stacked = torch.stack(ids, -1) if ids else torch.zeros(rows, 0, dtype=torch.int64)
    genre = torch.randint(0, feeding.num_genres, (rows,))
    return Features(stacked, torch.randn(rows, feeding.vector_size), genre)


def changed(**changes: object) -> Hparams:
    return Hparams(**{**vars(SMALL), **changes})


CASES = {
    "one-hot": (EVENTS, SMALL),
    "embedded": (EVENTS, changed(embedding_size=5)),
    "beside and genres": (Feeding("drum_kit", "1", (11,), 3, (11,), 4), changed(embedding_size=5)),
    "vectors only": (Feeding("lookback_rnn", "1", (), 13, (6,)), SMALL),
    "vectors and genres": (Feeding("lookback_rnn", "1", (), 13, (6,), 2), SMALL),
    "columns": (Feeding("x", "1", (3, 5, 2), 2, (3, 5, 2), 3), SMALL),
    "residual": (Feeding("x", "1", (7,), 0, (7,)), changed(rnn_layer_sizes=(7, 7), residual=True)),
    "one layer": (EVENTS, changed(rnn_layer_sizes=(6,))),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize("maker", [EventRnn, AwdLstm])
def test_steps_are_the_models(name: str, rows: int, maker: type[SequenceModel]) -> None:
    feeding, hparams = CASES[name]
    torch.manual_seed(1)
    model = shaken(maker(feeding, hparams))
    fast = FastSteps(model)
    slow_state, fast_state = model.initial_state(rows), fast.initial_state(rows)
    with torch.inference_mode():
        for _ in range(9):
            fed = features(feeding, rows)
            wanted, slow_state = model.step(fed, slow_state)
            got, fast_state = fast.step(fed, fast_state)
            torch.testing.assert_close(got, wanted, rtol=0, atol=1e-5)


def test_steps_are_those_of_a_tied_model() -> None:
    torch.manual_seed(1)
    model = shaken(AwdLstm(EVENTS, changed(embedding_size=9)))
    assert model.is_tied
    fast = FastSteps(model)
    fed = features(EVENTS, 1)
    with torch.inference_mode():
        wanted, _ = model.step(fed, model.initial_state(1))
        got, _ = fast.step(fed, fast.initial_state(1))
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-5)


def test_a_state_is_not_overwritten() -> None:
    torch.manual_seed(1)
    fast = FastSteps(shaken(EventRnn(EVENTS, SMALL)))
    fed = features(EVENTS, 2)
    with torch.inference_mode():
        _, state = fast.step(fed, fast.initial_state(2))
        once, _ = fast.step(fed, state)
        again, _ = fast.step(fed, state)
    assert torch.equal(once, again)


def test_what_is_fast_depends_on_rows_and_layers() -> None:
    model = EventRnn(EVENTS, SMALL)
    assert isinstance(fastest(model, MOST_ROWS), FastSteps)
    assert fastest(model, MOST_ROWS + 1) is model
    attending = EventRnn(EVENTS, changed(attn_length=4))
    assert fastest(attending, 1) is attending
