"""What is particular to networks: sequences, rows that are made, and libraries that load late."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from weir_training.cli import main
from weir_training.dataset import Rows, read_prepared
from weir_training.errors import TrainingError
from weir_training.families import NAMES, family
from weir_training.families.gan import Gan, GanSettings, make_rows
from weir_training.families.network import with_plain_names
from weir_training.families.recurrent import Gru, Lstm, RecurrentSettings
from weir_training.families.sequence import SequenceNormaliser
from weir_training.normalise import graph
from weir_training.package import onnx_scores, require_parity, with_holes
from weir_training.steps.train import all_of

COLUMNS = ["own", *(f"seq_{back}_{channel}" for back in (3, 2, 1, 0) for channel in ("a", "b"))]


def sequences(rows: int = 4_000, seed: int = 11) -> Rows:
    """Fraud where channel a fell between the step three back and the current one: no single column tells."""
    X = np.random.default_rng(seed).normal(size=(rows, len(COLUMNS))).astype(np.float32)
    falls = X[:, COLUMNS.index("seq_3_a")] - X[:, COLUMNS.index("seq_0_a")]
    return Rows(X, falls > 1.5, pd.DataFrame({"customer_id": np.arange(rows).astype(str)}), COLUMNS)


def test_steps_are_read_in_order_and_alone_suffice() -> None:
    rows, unseen = sequences(), sequences(seed=12)
    settings = RecurrentSettings(own_features=False, epochs=6, batch_rows=128, learning_rate=0.01)
    fitted = Lstm().train(rows, None, settings)
    assert roc_auc_score(unseen.label, fitted.raw(unseen.X)) > 0.95
    mixed = np.hstack([unseen.X[:, :1], unseen.X[:, 1:].reshape(-1, 4, 2)[:, ::-1].reshape(-1, 8)])
    assert roc_auc_score(unseen.label, fitted.raw(mixed)) < 0.2
    other = np.where(np.arange(len(COLUMNS)) == 0, np.float32(3), unseen.X)
    np.testing.assert_array_equal(fitted.raw(other), fitted.raw(unseen.X))
    holes = with_holes(unseen.X[:500])
    require_parity(fitted.raw(holes), fitted.to_onnx(), holes, fitted.shape)


def test_what_does_not_get_better_on_validation_ends_early() -> None:
    rows, unseen = sequences(), sequences(seed=12)
    noise = replace(unseen, label=np.random.default_rng(1).random(len(unseen.label)) < 0.1)
    settings = RecurrentSettings(epochs=9, batch_rows=256, early_stopping=1)
    history = Gru().train(rows, noise, settings).history
    assert len(history["train loss"]) == len(history["validation loss"]) < 9


def test_a_channel_is_scaled_alike_in_all_steps_and_in_the_graph() -> None:
    X = with_holes(np.random.default_rng(4).lognormal(2, 1, (400, len(COLUMNS))).astype(np.float32))
    normaliser = SequenceNormaliser.fit(X, 4, 2)
    nodes, constants = normaliser.nodes("features", "out")
    (model,) = [graph(nodes, constants, (len(COLUMNS),), "out", normaliser.width)]
    assert normaliser(X).shape == (400, normaliser.width) == (400, 4 * 4 + 2)
    assert np.abs(onnx_scores(model, X, (len(COLUMNS),)) - normaliser(X)[:, -1]).max() == 0
    again = np.tile(X[:, -2:], 4)
    steps = normaliser(np.hstack([X[:, :1], again]))[:, :16].reshape(-1, 4, 4)
    assert (steps == steps[:, :1]).all()


def test_columns_are_own_ones_first_and_then_steps_oldest_first() -> None:
    shuffled = [*COLUMNS[::-1], "late"]
    assert family("cnn").columns(shuffled)[:3] == ["own", "late", "seq_3_b"]
    with pytest.raises(TrainingError, match="the table has none"):
        family("cnn").columns(["own"])
    with pytest.raises(TrainingError, match="lacks seq_2_b"):
        family("cnn").columns([name for name in COLUMNS if name != "seq_2_b"])


def test_all_leaves_out_what_the_table_has_no_columns_for(
    table_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    run = tmp_path / "run"
    assert main(["prepare", "--table", str(table_path), "--out", str(run)]) == 0
    prepared = read_prepared(run)
    names = all_of(prepared)
    assert [name for name in NAMES if name not in names] == ["cnn", "image", "lstm", "gru", "rnn"]
    assert all_of(replace(prepared, columns=COLUMNS)) == NAMES
    assert main(["train", "logistic", "lstm", "--run", str(run)]) == 1
    assert "lstm reads a customer's last payments" in capsys.readouterr().err
    assert not (run / "families").exists()


def test_made_rows_hold_values_that_were_seen_and_go_together_as_they_did() -> None:
    rng = np.random.default_rng(5)
    first = rng.lognormal(3, 1, 600)
    X = np.column_stack([first, first * rng.lognormal(0, 0.1, 600), rng.random(600) < 0.3, first]).astype(
        np.float32
    )
    X[X[:, 0] < 10, 3] = np.nan
    made, history = make_rows(X, GanSettings(steps=400, made_share=2))
    assert made.shape == (1200, 4)
    for column in range(4):
        assert set(made[:, column][~np.isnan(made[:, column])]) <= set(X[:, column])
    log = np.log(made[:, :2])
    assert np.corrcoef(log.T)[0, 1] > 0.8
    assert abs(made[:, 2].mean() - 0.3) < 0.15
    small = made[:, 0] < 10
    assert np.isnan(made[small, 3]).mean() > np.isnan(made[~small, 3]).mean() + 0.4
    (distance,) = history.values()
    assert distance[-1] < max(distance) / 2


def test_no_rows_are_made_from_next_to_none() -> None:
    rows = sequences(2_000)
    few = replace(rows, label=np.arange(2_000) < 5)
    with pytest.raises(TrainingError, match="has 5 fraud rows to learn from and needs 10"):
        Gan().train(few, None, GanSettings(steps=1))


def test_a_gpu_that_is_not_there_is_told(capsys: pytest.CaptureFixture) -> None:
    settings = RecurrentSettings(device="gpu", epochs=1)
    Gru().train(sequences(1_000), None, settings)
    assert capsys.readouterr().err == "TensorFlow sees no GPU: training on the CPU.\n"


def test_help_and_trees_load_no_network_library() -> None:
    code = (
        "import sys; from weir_training.cli import main; from weir_training.families import family;"
        "main([]); [family(name).settings for name in ('lightgbm', 'cnn', 'lstm', 'autoencoder', 'gan')];"
        "print(sorted({'keras', 'tensorflow', 'tf2onnx'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.splitlines()[-1] == "[]"


def test_plain_names_do_not_depend_on_what_was_converted_before() -> None:
    first, second = (
        graph(
            [onnx.helper.make_node("Abs", ["features"], [f"mid{n}"], name=f"n{n}x"),
             onnx.helper.make_node("Neg", [f"mid{n}"], [f"out{n}"])],
            [], (3,), f"out{n}", 3,
        )
        for n in (1, 22)
    )  # fmt: skip
    assert first != second
    assert with_plain_names(onnx.load_from_string(first)) == with_plain_names(onnx.load_from_string(second))
