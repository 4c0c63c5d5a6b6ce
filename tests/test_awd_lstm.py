"""What AWD-LSTM drops out, ties and adds to the loss."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from trainers import engine
from trainers.features import Batch, Features, Feeding
from trainers.hparams import Hparams
from trainers.models import hparams_of
from trainers.models.awd_lstm import AwdLstm

torch.set_num_threads(1)
TEXT = Feeding("text", "1", (11,), 0, (11,))
KEYS = Feeding("keys", "1", (), 8, (3,) * 4)
NOTHING = Hparams(rnn_layer_sizes=(7, 5), embedding_size=5, dropout_keep_prob=1.0)
FP32 = engine.Machine(torch.device("cpu"), is_bf16=False)


def text(num_steps: int = 6, batch: int = 3) -> Features:
    torch.manual_seed(1)
    ids = torch.randint(0, 11, (batch, num_steps, 1))
    return Features(ids, torch.zeros(batch, num_steps, 0), torch.zeros(batch, dtype=torch.int64))


def model_of(changes: str = "", feeding: Feeding = TEXT) -> AwdLstm:
    torch.manual_seed(0)
    model = AwdLstm(feeding, NOTHING.changed(changes))
    for parameter in model.parameters():
        parameter.data += 0.5 * torch.randn_like(parameter)
    return model


def logits_of(model: AwdLstm, features: Features, seed: int = 3) -> Tensor:
    torch.manual_seed(seed)
    logits, _ = model(features, model.initial_state(len(features.genre)))
    assert isinstance(logits, Tensor)
    return logits


def plain(model: AwdLstm, embedding: Tensor, kept: list[Tensor], ids: Tensor) -> Tensor:
    """LSTM layers by the formula, with recurrent weights `kept`."""
    output = embedding[ids[..., 0]]
    for layer, recurrent in zip(model.layers, kept, strict=True):
        of_inputs, _, one, other = layer.all_weights[0]  # type: ignore[index]
        h = c = output.new_zeros(len(ids), recurrent.shape[1])
        outputs = []
        for row in output.unbind(1):
            gates = (row @ of_inputs.T + h @ recurrent.T + one + other).chunk(4, -1)
            i, f, g, o = gates
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            outputs.append(h)
        output = torch.stack(outputs, 1)
    return output


def test_recurrent_weights_are_the_same_ones_at_all_steps() -> None:
    """A second draw from the same seed gives the masks; the formula with them gives the logits."""
    model, features = model_of("weight_drop=0.5"), text()
    torch.manual_seed(3)
    kept = [nn.functional.dropout(layer.all_weights[0][1], 0.5) for layer in model.layers]  # type: ignore[index]
    assert all(0.2 < float((weight == 0).float().mean()) < 0.8 for weight in kept)
    table = model.inputs.embeddings[0].weight
    assert isinstance(table, Tensor)
    output = plain(model, table, kept, features.ids)
    wanted = output @ table.T + model.logits_bias
    torch.testing.assert_close(logits_of(model, features), wanted)


def test_whole_classes_are_dropped_out_of_the_embedding() -> None:
    model, features = model_of("embedding_drop=0.5"), text()
    table = model.inputs.embeddings[0].weight
    assert isinstance(table, Tensor)
    torch.manual_seed(3)
    kept = nn.functional.dropout(torch.ones(11, 1), 0.5)
    assert set(kept.flatten().tolist()) == {0.0, 2.0}
    recurrent = [layer.all_weights[0][1] for layer in model.layers]  # type: ignore[index]
    output = plain(model, table * kept, recurrent, features.ids)
    # Only what is fed: logits come from the whole table.
    wanted = output @ table.T + model.logits_bias
    torch.testing.assert_close(logits_of(model, features), wanted)


def test_masks_are_locked_over_the_steps_and_differ_between_examples() -> None:
    model = model_of()
    torch.manual_seed(0)
    dropped = model._locked(torch.ones(4, 9, 50), 0.4)
    assert torch.equal(dropped, dropped[:, :1].expand(-1, 9, -1))
    assert not torch.equal(dropped[0], dropped[1])
    assert sorted(set(dropped.flatten().tolist())) == pytest.approx([0.0, 1 / 0.6])
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize(
    "what", ["weight_drop", "input_drop", "embedding_drop", "hidden_drop", "dropout"]
)
def test_each_share_is_used_while_training_only(what: str) -> None:
    model, features = model_of(f"{what}=0.5"), text()
    exact = logits_of(model_of(), features)
    assert not torch.equal(logits_of(model, features), exact)
    assert not torch.equal(logits_of(model, features), logits_of(model, features, seed=4))
    assert torch.equal(logits_of(model, features), logits_of(model, features))
    model.eval()
    assert torch.equal(logits_of(model, features), exact)


def test_penalties_are_mean_squares_of_the_last_outputs_and_of_their_changes() -> None:
    features = text()
    model = model_of("activation_penalty=2,slowness_penalty=3,dropout=0.5")
    found: list[Tensor] = []
    model.layers[-1].register_forward_hook(lambda *given: found.append(given[2][0]))
    logits_of(model, features)
    (raw,) = found
    torch.manual_seed(3)
    used = raw * nn.functional.dropout(torch.ones(3, 1, 5), 0.5)
    changes = raw[:, 1:] - raw[:, :-1]
    wanted = 2 * used.square().mean() + 3 * changes.square().mean()
    penalty = model.penalty()
    assert penalty is not None
    torch.testing.assert_close(penalty, wanted)
    assert model.penalty() is None  # of one forward pass, once
    logits_of(model.eval(), features)
    assert model.penalty() is None


def test_a_piece_of_one_step_has_no_change_to_punish() -> None:
    model = model_of("slowness_penalty=3")
    logits_of(model, text(num_steps=1))
    assert model.penalty() is None


def test_the_engine_adds_the_penalty_to_the_gradient_and_not_to_the_loss() -> None:
    features = text()
    batch = Batch(features, features.ids)
    losses: list[float] = []
    grads: list[Tensor] = []
    for changes in ("", "activation_penalty=50"):
        model = model_of(changes)
        hparams = NOTHING.changed(changes)
        losses.append(engine.backward(model.train(), batch, hparams, FP32))
        grads.append(model.layers[-1].all_weights[0][0].grad)  # type: ignore[index, arg-type]
    assert losses[0] == losses[1]
    assert not torch.allclose(grads[0], grads[1], rtol=0.1)


def test_weights_are_tied_where_one_column_is_fed_and_predicted() -> None:
    tied, wide, keys = model_of(), model_of("rnn_layer_sizes=[7,6]"), model_of("", KEYS)
    assert tied.is_tied
    assert not wide.is_tied
    assert not keys.is_tied
    names = {name for name, _ in tied.named_parameters()}
    assert "logits_kernel" not in names
    assert {"logits_kernel"} < {name for name, _ in wide.named_parameters()}
    torch.autograd.backward(logits_of(tied.eval(), text()).sum())
    table = tied.inputs.embeddings[0].weight
    assert isinstance(table, Tensor)
    unseen = set(range(11)) - set(text().ids.flatten().tolist())
    assert unseen  # they learn as outputs only
    assert table.grad is not None
    assert all(bool(table.grad[each].any()) for each in unseen)


def test_columns_are_fed_as_vectors_and_predicted_side_by_side() -> None:
    model = model_of("embedding_drop=0.5,input_drop=0.5,weight_drop=0.5", KEYS)
    vectors = torch.randint(0, 2, (3, 6, 8)).float()
    features = Features(
        torch.zeros(3, 6, 0, dtype=torch.int64), vectors, torch.zeros(3, dtype=torch.int64)
    )
    assert logits_of(model, features).shape == (3, 6, 12)


def test_the_defaults_are_those_of_the_reference() -> None:
    for name in ("notewise", "notewise_chamber", "chordwise"):
        found = hparams_of(name)
        assert (found.rnn_layer_sizes, found.embedding_size) == ((600, 600, 600, 400), 400)
        assert (found.bptt, found.clip_norm) == (200, 0.3)
        assert found.batch_size * 1024 > 32 * 200  # tokens of an update: at least the reference's
        assert (found.beta1, found.beta2, found.learning_rate) == (0.7, 0.99, 3e-3)
        assert (found.activation_penalty, found.slowness_penalty) == (2.0, 1.0)
    assert AwdLstm(Feeding("n", "1", (149,), 0, (149,)), hparams_of("notewise")).is_tied
