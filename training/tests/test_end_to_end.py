import base64
import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import COLUMNS, synthetic_table
from weir_training.cli import main

RECIPE = "families: { lightgbm: { trees: 60 } }"


def train(table: Path, out: Path) -> int:
    """From an export to a package; stops at the first step that fails."""
    with tempfile.TemporaryDirectory() as folder:
        run, recipe = Path(folder) / "run", Path(folder) / "recipe.yaml"
        recipe.write_text(RECIPE)
        steps = [
            ["prepare", "--table", str(table), "--out", str(run)],
            ["train", "lightgbm", "--run", str(run), "--recipe", str(recipe)],
            ["export", "lightgbm", "--run", str(run), "--out", str(out), "--data", "Synthetic rows."],
        ]
        return next((code for step in steps if (code := main(step)) != 0), 0)


@pytest.fixture(scope="module")
def package(table_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "champion" / "1.0.0"
    assert train(table_path, out) == 0
    return out


def read(package: Path, name: str) -> dict:
    return json.loads((package / name).read_text())


def test_the_manifest_names_the_features_of_the_table(package: Path) -> None:
    manifest = read(package, "model.json")
    assert (manifest["name"], manifest["version"]) == ("champion", "1.0.0")
    assert manifest["feature_hash"] == "test0001"
    assert manifest["columns"] == COLUMNS
    (part,) = manifest["parts"]
    assert part["columns"] == COLUMNS
    assert part["output"] == {"name": "probabilities", "type": "float32", "shape": [None, 2], "column": 1}
    assert manifest["metrics"]["auc_roc"] > 0.7
    assert manifest["metrics"]["ece"] < 0.02


def test_periods_keep_the_delay_between_them(package: Path) -> None:
    periods = read(package, "model.json")["periods"]
    days = {key: [np.datetime64(p[end][:10]) for end in ("from", "to")] for key, p in periods.items()}
    assert days["validation"][0] - days["train"][1] == np.timedelta64(7, "D")
    assert days["test"][0] - days["validation"][1] == np.timedelta64(7, "D")


def test_onnx_gives_the_golden_scores(package: Path) -> None:
    golden = read(package, "golden.json")
    features = np.frombuffer(base64.b64decode(golden["features"]), dtype="<f4").reshape(golden["rows"], -1)
    session = onnxruntime.InferenceSession(package / "lightgbm.onnx", providers=["CPUExecutionProvider"])
    (probabilities,) = session.run(["probabilities"], {"features": features})
    assert np.abs(probabilities[:, 1] - golden["raw"]["lightgbm"]).max() < 1e-6
    assert np.isnan(features).any(axis=1).sum() >= 50
    assert np.isfinite(golden["raw"]["lightgbm"]).all()
    assert len(set(golden["raw"]["lightgbm"])) > 100


def test_the_same_table_gives_the_same_bytes(package: Path, table_path: Path, tmp_path: Path) -> None:
    again = tmp_path / "champion" / "1.0.0"
    assert train(table_path, again) == 0
    names = sorted(path.name for path in package.iterdir())
    manifest = ["model.json", "model.json.sha256"]
    assert names == ["MODEL_CARD.md", "baseline.json", "golden.json", "lightgbm.onnx", *manifest, "trees.json"]
    for name in names:
        assert (package / name).read_bytes() == (again / name).read_bytes(), name


def test_a_label_learnt_after_training_does_not_change_the_model(package: Path, tmp_path: Path) -> None:
    """Labels that became known in or after the validation period are not there yet when the model is trained."""
    table = synthetic_table()
    known, event = table["label_known_time"].to_numpy(), table["event_time"].to_numpy()
    periods = read(package, "model.json")["periods"]
    start = np.datetime64(periods["validation"]["from"][:-1]).astype("datetime64[ms]").astype(np.int64)
    late = (known > start) & (event < start)
    assert late.sum() > 0
    label = table["label"].to_numpy() & ~late
    path = tmp_path / "training.parquet"
    pq.write_table(table.set_column(table.column_names.index("label"), "label", pa.array(label)), path)
    out = tmp_path / "champion" / "1.0.0"
    assert train(path, out) == 0
    assert (out / "lightgbm.onnx").read_bytes() == (package / "lightgbm.onnx").read_bytes()


def test_a_version_is_never_written_over(package: Path, table_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert train(table_path, package) == 1
    assert "holds a package already" in capsys.readouterr().err


@pytest.mark.parametrize("folder", ["champion", "Champion/1.0.0", "champion/1.0"])
def test_out_must_name_a_model_and_a_version(
    folder: str, table_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert train(table_path, tmp_path / folder) == 1
    assert "should end in" in capsys.readouterr().err


def without_metadata(table: pa.Table) -> pa.Table:
    return table.replace_schema_metadata(None)


def without_a_feature(table: pa.Table) -> pa.Table:
    return table.drop_columns(["count_1h"])


def with_float64(table: pa.Table) -> pa.Table:
    return table.set_column(3, "amount", table["amount"].cast(pa.float64()))


def without_fraud(table: pa.Table) -> pa.Table:
    position = table.column_names.index("label")
    return table.set_column(position, "label", pa.array(np.zeros(len(table), dtype=bool)))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_metadata, "does not say which features"),
        (without_a_feature, "lacks the columns count_1h"),
        (with_float64, "Column amount of .* is double, should be float"),
        (without_fraud, "needs both kinds"),
        (lambda table: table.slice(0, 0), "has no rows"),
    ],
)
def test_a_table_that_is_not_as_exported_is_refused(
    spoil: Callable[[pa.Table], pa.Table], message: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "training.parquet"
    pq.write_table(spoil(synthetic_table()), path)
    out = tmp_path / "champion" / "1.0.0"
    assert train(path, out) == 1
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert not out.exists()
