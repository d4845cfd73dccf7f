"""Every family on the same small table: it learns, its export says the same, and it does so again."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from conftest import FAMILIES
from weir_training.calibrate import Knots
from weir_training.cli import main
from weir_training.dataset import read_prepared
from weir_training.families import NAMES
from weir_training.package import read_part


@pytest.fixture(scope="module")
def run(sequence_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("study") / "run"
    assert main(["prepare", "--table", str(sequence_path), "--out", str(run)]) == 0
    train(run, *NAMES)
    return run


def train(run: Path, *names: str) -> None:
    recipe = run.with_name("recipe.yaml")
    recipe.write_text(FAMILIES)
    assert main(["train", *names, "--run", str(run), "--recipe", str(recipe)]) == 0


@pytest.mark.parametrize("name", NAMES)
def test_it_learns_and_its_export_scores_as_it_does(name: str, run: Path) -> None:
    part, prepared = read_part(run, name), read_prepared(run)
    scores = pd.read_parquet(run / "families" / name / "scores.parquet")
    test = scores[scores["period"] == "test"]
    least = 0.55 if part.about["kind"] == "anomaly" else 0.75
    assert roc_auc_score(test["label"], test["raw"]) > least
    again = part.raw(prepared.test.X, prepared.columns)
    assert np.abs(again - test["raw"]).max() <= 1e-5
    assert part.about["parity"] <= 1e-5
    assert test["raw"].between(0, 1).all()
    knots = Knots(*(np.array(part.about["calibration"][axis]) for axis in "xy"))
    np.testing.assert_array_equal(knots(test["raw"].to_numpy()), test["probability"])
    share = part.about["importance"]
    assert share == {} or abs(sum(share.values()) - 1) < 1e-6


# What `image`, `gru` and `rnn` add to `cnn` and `lstm` is a layer.
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("image", "gru", "rnn")])
def test_the_same_rows_and_settings_give_the_same_bytes(name: str, run: Path) -> None:
    folder = run / "families" / name
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    train(run, name)
    for file, content in before.items():
        assert (folder / file).read_bytes() == content, file


@pytest.mark.parametrize("name", ["isolation", "autoencoder"])
def test_an_anomaly_score_does_not_look_at_labels(name: str, run: Path, tmp_path: Path) -> None:
    other = tmp_path / "run"
    other.mkdir()
    shutil.copytree(run / "prepared", other / "prepared")
    rows = pd.read_parquet(other / "prepared" / "train.parquet")
    rows["label"] = np.arange(len(rows)) % 7 == 0
    rows.to_parquet(other / "prepared" / "train.parquet", index=False)
    train(other, name)
    assert read_part(other, name).graph == read_part(run, name).graph


def test_without_validation_scores_are_out_of_fold(table_path: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    arguments = ["--train-start", "2024-10-14", "--train-days", "14", "--validation-days", "0"]
    assert main(["prepare", "--table", str(table_path), "--out", str(run), *arguments]) == 0
    periods = read_prepared(run).periods
    assert {name: (about["from"][:10], about["to"][:10]) for name, about in periods.items()} == {
        "train": ("2024-10-14", "2024-10-28"),
        "test": ("2024-11-04", "2024-11-11"),
    }
    train(run, "lightgbm")
    prepared, part = read_prepared(run), read_part(run, "lightgbm")
    scores = pd.read_parquet(run / "families/lightgbm/scores.parquet")
    held = scores[scores["period"] == "validation"]
    seen = part.raw(prepared.train.X, prepared.columns)
    assert list(held["transaction_id"]) == list(prepared.train.frame["transaction_id"])
    assert roc_auc_score(held["label"], seen) > roc_auc_score(held["label"], held["raw"]) + 0.01


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("families: { lightgbm: { leafs: 3 } }", "lightgbm has no setting leafs; did you mean leaves?"),
        ("families: { lightgbm: { leaves: 1 } }", "lightgbm.leaves is 1: input should be greater"),
        ("families: { lightgbn: {} }", "there is no family lightgbn; did you mean lightgbm?"),
        ("family: {}", "should have the keys families"),
        ("lookups: { merchant: {} }", "there is no learner merchant; did you mean merchants?"),
        ("families: [", "Cannot read the recipe"),
    ],
)
def test_a_wrong_recipe_is_told_by_name(
    recipe: str, message: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe)
    assert main(["train", "lightgbm", "--run", str(run), "--recipe", str(path)]) == 1
    assert message in capsys.readouterr().err


def test_settings_shows_what_is_set_and_what_it_means(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("families: { lightgbm: { leaves: 9 } }")
    assert main(["settings", "lightgbm", "logistic", "--recipe", str(path)]) == 0
    assert re.search(r"leaves +Leaves of a tree\. +9 *\n", capsys.readouterr().err)
    assert main(["--json", "settings", "all", "--recipe", str(path)]) == 0
    found = json.loads(capsys.readouterr().out)["families"]
    assert list(found) == NAMES
    assert found["lightgbm"]["leaves"] == 9
    assert main(["settings", "lightgbn"]) == 1
    assert "There is no family lightgbn" in capsys.readouterr().err


def test_what_is_not_there_is_told(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["train", "lightgbm", "--run", str(tmp_path)]) == 1
    assert "holds no prepared table" in capsys.readouterr().err
    out = str(tmp_path / "champion/1.0.0")
    assert main(["export", "boost", "--run", str(run), "--out", out, "--data", "None."]) == 1
    assert "has no trained boost" in capsys.readouterr().err
    assert not (tmp_path / "champion").exists()


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "champion/1.0.0"
    out.mkdir(parents=True)
    (out / "notes.txt").write_text("mine")
    # Neither has anything to read: the folder is looked at first.
    assert main(["export", "lightgbm", "--run", str(tmp_path), "--out", str(out), "--data", "None."]) == 1
    assert main(["prepare", "--table", str(tmp_path / "none.parquet"), "--out", str(out)]) == 1
    assert capsys.readouterr().err.count("is there already") == 2
    assert [path.name for path in out.iterdir()] == ["notes.txt"]
    assert [path.name for path in out.parent.iterdir()] == ["1.0.0"]


def test_no_day_count_is_negative(table_path: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["prepare", "--table", str(table_path), "--out", str(tmp_path / "run"), "--delay-days", "-1"])


def test_the_quality_report_tells_what_is_odd(run: Path) -> None:
    quality = json.loads((run / "prepared/quality.json").read_text())
    assert set(quality["columns"]) == set(read_prepared(run).columns)
    assert 0.01 < quality["columns"]["amount"]["missing"] < 0.05
    assert quality["columns"]["amount"]["psi"] < 0.05
    assert sum(day["rows"] for day in quality["days"] if day["period"] == "test") == len(
        read_prepared(run).test.label
    )
    assert "<h2>Frauds by day</h2>" in (run / "prepared/quality.html").read_text()
