import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from weir_training.cli import main

DAY = 86_400_000
FAMILIES = """
families:
  logistic: { optimiser: sgd, penalty: l1 }
  svm: { most_rows: 3000, gamma: 0.05 }
  forest: { trees: 20, depth: 8 }
  lightgbm: { trees: 40, early_stopping: 5 }
  xgboost: { trees: 40, early_stopping: 5 }
  histgb: { trees: 40 }
  cnn: { epochs: 2, batch_rows: 256, learning_rate: 0.01 }
  image: { epochs: 2, batch_rows: 256, learning_rate: 0.01 }
  lstm: { epochs: 2, batch_rows: 256, learning_rate: 0.01 }
  gru: { epochs: 2, batch_rows: 256, learning_rate: 0.01 }
  rnn: { epochs: 2, batch_rows: 256, learning_rate: 0.01 }
  gan: { trees: 40, steps: 30 }
  isolation: { trees: 50 }
  autoencoder: { epochs: 4, batch_rows: 256, waist: 3 }
"""
"""Every family, small."""
COLUMNS = ["amount", "amount_to_mean", "count_1h", "count_24h", "night", "merchant_fraud_rate"]


def synthetic_table(rows: int = 30_000, days: int = 60, seed: int = 1) -> pa.Table:
    """A table as `weir export` writes it, with fraud that the columns explain in part."""
    rng = np.random.default_rng(seed)
    amount = rng.lognormal(3, 1, rows)
    ratio = rng.lognormal(0, 0.7, rows)
    count_1h = rng.poisson(0.5, rows)
    night = rng.random(rows) < 0.2
    risk = rng.beta(1, 60, rows)
    logit = -5.5 + 0.9 * np.log(amount / 20) + 1.2 * np.log(ratio) + 0.8 * count_1h + night + 25 * risk
    label = rng.random(rows) < 1 / (1 + np.exp(-logit))
    event_time = np.sort(rng.integers(0, days * DAY, rows)) + 20_000 * DAY
    known_time = event_time + (rng.exponential(2, rows) * DAY).astype(np.int64)
    features = np.column_stack([amount, ratio, count_1h, count_1h + rng.poisson(2, rows), night, risk])
    features[rng.random(features.shape) < 0.03] = np.nan
    columns = {name: features[:, i].astype(np.float32) for i, name in enumerate(COLUMNS)}
    table = pa.table(
        {
            "transaction_id": [f"tx-{i}" for i in range(rows)],
            "event_time": event_time,
            "customer_id": [f"c-{i % 997}" for i in range(rows)],
            **columns,
            "label": label,
            "label_known_time": pa.array(known_time, mask=~label),
            "fraud_type": pa.array(np.where(label, np.where(night, "stolen", "mule"), "none"), mask=~label),
            "tx_amount": pa.array(amount),
            "tx_channel": np.where(night, "ecommerce", "pos"),
        }
    )
    return table.replace_schema_metadata({"weir.feature_hash": "test0001", "weir.features": json.dumps(COLUMNS)})


def with_sequence(table: pa.Table, steps: int = 4, seed: int = 2) -> pa.Table:
    """The same table with sequences; the payments before are near the mean that the second column is over."""
    rng = np.random.default_rng(seed)
    amount, ratio = (table[name].to_numpy().astype(np.float64) for name in COLUMNS[:2])
    columns = {}
    for back in reversed(range(steps)):
        usual = np.log1p(amount / ratio) + rng.normal(0, 0.2, len(table))
        columns[f"seq_{back}_log_amount"] = np.log1p(amount) if back == 0 else usual
        columns[f"seq_{back}_log_gap"] = np.log1p(rng.exponential(7200, len(table)))
        columns[f"seq_{back}_refund"] = rng.random(len(table)) < 0.05
    known = rng.integers(0, steps + 2, len(table))  # payments before this one
    for i, (name, values) in enumerate(columns.items()):
        missing = steps - 1 - i // 3 > known
        table = table.append_column(name, pa.array(np.where(missing, np.nan, values).astype(np.float32)))
    names = json.dumps([*COLUMNS, *columns])
    return table.replace_schema_metadata({"weir.feature_hash": "test0002", "weir.features": names})


@pytest.fixture(scope="session")
def sequence_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "sequences.parquet"
    pq.write_table(with_sequence(synthetic_table()), path)
    return path


RECIPE = """
families:
  lightgbm: { trees: 40, leaves: 7 }
  logistic: { strength: 0.01 }
  isolation: { trees: 20 }
"""


@pytest.fixture(scope="session")
def study(table_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with three families that were trained and fused; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("study")
    make_study(table_path, folder / "run")
    return folder / "run"


def make_study(table: Path, run: Path, *more: str) -> None:
    recipe = run.with_name("recipe.yaml")
    recipe.write_text(RECIPE)
    for step in (
        ["prepare", "--table", str(table), "--out", str(run), *more],
        ["train", "lightgbm", "logistic", "isolation", "--run", str(run), "--recipe", str(recipe)],
        ["fuse", "all", "--run", str(run), "--resamples", "50"],
    ):
        assert main(step) == 0


@pytest.fixture(scope="session")
def table_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "training.parquet"
    pq.write_table(synthetic_table(), path)
    return path
