import base64
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from weir_training.cli import main
from weir_training.comparison import read_package
from weir_training.dataset import read_prepared
from weir_training.errors import TrainingError
from weir_training.fusion import fit_fusion, log_odds
from weir_training.package import Model, read_part
from weir_training.scores import read_model


def export(run: Path, name: str, out: Path) -> int:
    return main(["export", name, "--run", str(run), "--out", str(out), "--data", "Synthetic rows."])


@pytest.fixture(scope="module")
def packages(study: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    out = {name: root / name / "1.0.0" for name in ("lightgbm", "logistic", "fusion")}
    for name, folder in out.items():
        assert export(study, name, folder) == 0
    return out


def two_views(rows: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Two calibrated probabilities that see different causes of fraud, and a third that is noise."""
    rng = np.random.default_rng(0)
    causes = rng.normal(size=(rows, 2))
    label = rng.random(rows) < 1 / (1 + np.exp(5 - 1.5 * causes.sum(axis=1)))
    views = 1 / (1 + np.exp(5 - 1.5 * causes))
    return np.column_stack([views, rng.beta(1, 60, rows)]), label


def test_the_fusion_of_two_views_beats_each_and_is_plain_stacking() -> None:
    probabilities, label = two_views()
    fit, test = slice(0, 10_000), slice(10_000, None)
    fusion = fit_fusion(probabilities[fit], label[fit], 1e-6)
    fused = fusion(probabilities[test])
    for part in probabilities[test].T:
        assert average_precision_score(label[test], fused) > average_precision_score(label[test], part) + 0.02
    assert fusion.weights[2] < 0.1
    both = fit_fusion(probabilities[:, :2], label, 0.0)
    plain = LogisticRegression(C=1e6, tol=1e-8).fit(log_odds(probabilities[:, :2]), label)
    np.testing.assert_allclose(both.weights, plain.coef_[0], atol=1e-3)
    assert both.intercept == pytest.approx(plain.intercept_[0], abs=5e-3)


def test_no_weight_is_negative_and_strength_draws_to_the_mean() -> None:
    probabilities, label = two_views()
    upside_down = np.column_stack([probabilities[:, 0], 0.05 - probabilities[:, 1] / 25])
    assert min(fit_fusion(upside_down, label, 1e-6).weights) == 0
    np.testing.assert_allclose(fit_fusion(probabilities, label, 1e3).weights, 1 / 3, atol=1e-3)


def test_a_part_without_weight_leaves_and_one_alone_is_no_fusion(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    run = shutil.copytree(study, tmp_path / "run")
    path = run / "families/isolation/scores.parquet"
    scores = pd.read_parquet(path)
    scores["probability"] = np.where(scores["label"], 0.01, 0.5)  # wrong throughout
    scores.to_parquet(path, index=False)
    before = (run / "fusion/fusion.json").read_bytes()
    arguments = ["--run", str(run), "--resamples", "20", "--strength", "0"]
    assert main(["fuse", "lightgbm", "isolation", *arguments]) == 1
    assert "gives weight to lightgbm only" in capsys.readouterr().err
    assert main(["fuse", "lightgbm", *arguments]) == 1
    assert "needs two families at least" in capsys.readouterr().err
    assert (run / "fusion/fusion.json").read_bytes() == before
    assert main(["fuse", "all", *arguments]) == 0
    about = json.loads((run / "fusion/fusion.json").read_text())
    assert about["left_out"] == ["isolation"]
    assert [part["name"] for part in about["parts"]] == ["logistic", "lightgbm"]
    assert set(about["against"]) == {"fusion", "logistic", "lightgbm", "isolation"}
    assert about["against"]["isolation"]["lead"]["beyond_chance"]


def test_the_fused_package_scores_as_the_run_says(study: Path, packages: dict[str, Path]) -> None:
    folder, prepared = packages["fusion"], read_prepared(study)
    manifest = json.loads((folder / "model.json").read_text())
    names = [part["name"] for part in manifest["parts"]]
    assert names == ["logistic", "lightgbm", "isolation"]
    assert set(manifest["files"]) == {p.name for p in folder.iterdir()} - {"model.json", "model.json.sha256"}
    model = read_package(folder).model
    scores = pd.read_parquet(study / "fusion/scores.parquet").query("period == 'test'")
    again = model.probability(model.raw(prepared.test.X, prepared.columns))
    np.testing.assert_allclose(again, scores["probability"], atol=1e-4)
    golden = json.loads((folder / "golden.json").read_text())
    features = np.frombuffer(base64.b64decode(golden["features"]), "<f4").reshape(golden["rows"], -1)
    raw = model.raw(features, prepared.columns)
    assert list(golden["raw"]) == names
    for name in names:
        np.testing.assert_allclose(raw[name], golden["raw"][name], atol=1e-6)
    given = {name: np.array(values) for name, values in golden["raw"].items()}
    np.testing.assert_allclose(model.probability(given), golden["probability"], atol=1e-12)
    assert "### Fusion" in (folder / "MODEL_CARD.md").read_text()


def test_a_fusion_of_parts_that_were_trained_anew_is_refused(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    run = shutil.copytree(study, tmp_path / "run")
    assert main(["train", "logistic", "--run", str(run)]) == 0
    out = tmp_path / "fused/1.0.0"
    assert export(run, "fusion", out) == 1
    assert "logistic was trained anew since it was fused" in capsys.readouterr().err
    assert not out.parent.exists()
    with pytest.raises(TrainingError, match="has no fusion"):
        read_model(tmp_path, "fusion")


def compare(run: Path, first: Path, second: Path, *more: str) -> int:
    return main(["compare", str(first), str(second), "--run", str(run), "--resamples", "60", *more])


def test_compare_says_what_would_change(study: Path, packages: dict[str, Path], tmp_path: Path) -> None:
    run = shutil.copytree(study, tmp_path / "run")
    assert compare(run, packages["lightgbm"], packages["logistic"], "--alert-rate", "0.05") == 0
    found = json.loads((run / "comparison/comparison.json").read_text())
    precision = found["metrics"]["average_precision"]
    prepared = read_prepared(run)
    for key, name in (("first", "lightgbm"), ("second", "logistic")):
        probability = Model([read_part(run, name)])
        raw = probability.probability(probability.raw(prepared.test.X, prepared.columns))
        expected = average_precision_score(prepared.test.label, raw)
        assert precision[key]["value"] == pytest.approx(expected, abs=1e-6)
    lead = precision["second"]["value"] - precision["first"]["value"]
    assert precision["difference"]["value"] == pytest.approx(lead, abs=2e-6)
    assert precision["difference"]["beyond_chance"]  # it is a logistic model that made the table
    alerts = found["alerts"]
    rows = len(prepared.test.label)
    assert sum(kind["payments"] for kind in alerts.values()) == rows
    assert (
        alerts["first"]["payments"]
        == alerts["second"]["payments"]
        == round(0.05 * rows) - alerts["both"]["payments"]
    )
    page = (run / "comparison/comparison.html").read_text()
    assert "logistic@1.0.0 is better" in page
    assert compare(run, packages["lightgbm"], packages["lightgbm"], "--period", "validation") == 0
    same = json.loads((run / "comparison/comparison.json").read_text())
    assert not any(metric["difference"]["value"] for metric in same["metrics"].values())
    assert "its figures flatter it" in same["notes"][0]


def test_what_cannot_be_compared_is_told(
    study: Path, packages: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    first = packages["lightgbm"]
    assert compare(study, first, tmp_path) == 1
    assert "is no model package" in capsys.readouterr().err
    (tmp_path / "model.json").write_text('{"format": 2, "parts": []}')
    assert compare(study, first, tmp_path) == 1
    assert "is no model package: 'fusion'" in capsys.readouterr().err
    changed = shutil.copytree(first, tmp_path / "changed")
    graph = changed / "lightgbm.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"\0")
    assert compare(study, first, changed) == 1
    assert "is not the file that model.json names" in capsys.readouterr().err
    other = shutil.copytree(first, tmp_path / "other")
    manifest = json.loads((other / "model.json").read_text())
    for change, message in (
        ({"feature_hash": "test0002"}, "was trained on features test0002, the rows have test0001"),
        ({"columns": [*manifest["columns"], "looked_up"]}, "The rows lack looked_up"),
    ):
        (other / "model.json").write_text(json.dumps(manifest | change))
        assert compare(study, first, other) == 1
        assert message in capsys.readouterr().err
    assert not (study / "comparison").exists()
