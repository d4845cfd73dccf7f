import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from conftest import COLUMNS
from weir_training.cli import main
from weir_training.dataset import read_prepared
from weir_training.errors import TrainingError
from weir_training.families import NAMES, family
from weir_training.package import read_part
from weir_training.prequential import Prequential, folds_of
from weir_training.split import DAY

SEARCH = """
families:
  lightgbm: { trees: 20, leaves: 7 }
  logistic: { strength: 0.01 }
search:
  lightgbm: { trees: { between: [10, 30] }, leaves: { among: [3, 7] } }
  logistic: { strength: { between: [0.0001, 1.0], log: true } }
"""


@pytest.fixture
def run(study: Path, tmp_path: Path) -> Path:
    (tmp_path / "search.yaml").write_text(SEARCH)
    shutil.copytree(study / "prepared", tmp_path / "run" / "prepared")
    return tmp_path / "run"


def optimise(run: Path, *arguments: str) -> dict:
    recipe = str(run.with_name("search.yaml"))
    common = ["--run", str(run), "--recipe", recipe, "--resamples", "40", "--fold-days", "5"]
    assert main(["optimise", *arguments, *common]) == 0
    return json.loads((run / "optimisation/optimisation.json").read_text())


def without_seconds(trials: list[dict]) -> list[dict]:
    return [{key: value for key, value in trial.items() if key != "seconds"} for trial in trials]


def test_folds_move_forward_and_know_only_what_was_known(run: Path) -> None:
    prepared = read_prepared(run)
    folds = folds_of(prepared, Prequential(folds=2, validation_days=5, delay_days=3, train_days=10))
    end = max(prepared.train.frame["event_time"]) // DAY * DAY + DAY
    assert [((end - fold.start) // DAY, (end - fold.end) // DAY) for fold in folds] == [(10, 5), (5, 0)]
    for fold in folds:
        time = fold.train.frame["event_time"]
        assert time.max() < fold.start - 3 * DAY
        assert time.min() >= fold.start - 13 * DAY
        assert not fold.train.label[fold.train.frame["known_time"].to_numpy() > fold.start].any()
        assert fold.validation.frame["event_time"].between(fold.start, fold.end - 1).all()
    ids = [set(fold.validation.frame["transaction_id"]) for fold in folds]
    assert not ids[0] & ids[1]
    assert not ids[1] & set(prepared.test.frame["transaction_id"])
    with pytest.raises(TrainingError, match="need 82 days of training; there are 32"):
        folds_of(prepared, Prequential(folds=14))


def test_a_search_that_was_interrupted_goes_the_way_it_would_have_gone(run: Path, tmp_path: Path) -> None:
    whole = optimise(run, "logistic", "--trials", "10")
    other = shutil.copytree(run, tmp_path / "other", ignore=shutil.ignore_patterns("search", "optimisation"))
    part = optimise(other, "logistic", "--trials", "4")
    assert len(part["trials"]) == 4
    journal = next((other / "search").iterdir())
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:-2]))  # cut off within a trial
    resumed = optimise(other, "logistic", "--trials", "10")
    assert without_seconds(resumed["trials"]) == without_seconds(whole["trials"])
    first = whole["trials"][0]
    assert first["settings"] == {"strength": 0.01}
    assert whole["families"]["logistic"]["average_precision"]["value"] >= first["average_precision"]


def test_the_recipe_trains_what_was_found(run: Path) -> None:
    found = optimise(run, "lightgbm", "logistic", "--trials", "3", "--select-columns")
    recipe = run / "optimisation/recipe.yaml"
    content = yaml.safe_load(recipe.read_text())
    assert set(content["families"]) == {"lightgbm", "logistic"}
    assert found["chosen"] in recipe.read_text().splitlines()[0]
    columns = content["families"]["lightgbm"]["columns"]
    assert set(columns) <= set(COLUMNS)
    assert found["selections"]["lightgbm"]["columns"] == columns
    assert next(iter(found["selections"]["lightgbm"]["importance"])) in columns
    assert main(["train", "lightgbm", "--run", str(run), "--recipe", str(recipe)]) == 0
    about = read_part(run, "lightgbm").about
    assert about["columns"] == columns
    # Train validates on the folds of the recipe, and finds what the search found.
    assert list(about["prequential"].values()) == found["families"]["lightgbm"]["folds"]
    with (run / "optimisation/trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert {row["family"] for row in rows} == {"lightgbm", "logistic"}
    page = (run / "optimisation/optimisation.html").read_text()
    assert "is best on the folds" in page
    assert page.count("<svg") > 3


def test_a_column_of_noise_is_left_out(run: Path) -> None:
    prepared = read_prepared(run)
    path = run / "prepared/train.parquet"
    rows = pd.read_parquet(path)
    rows["x.night"] = np.random.default_rng(1).random(len(rows)).astype(np.float32)
    rows.to_parquet(path, index=False)
    found = optimise(run, "logistic", "--trials", "1", "--select-columns")
    assert prepared.columns == COLUMNS
    selection = found["selections"]["logistic"]
    assert "night" not in selection["columns"]
    assert abs(selection["importance"]["night"]) < 0.01


@pytest.mark.parametrize("name", NAMES)
def test_the_defaults_lie_in_the_search_space(name: str) -> None:
    kind = family(name)
    defaults = kind.settings()
    for setting, choice in kind.space.items():
        assert getattr(defaults, setting) in choice, setting


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("search: { logistic: { strengt: { between: [0, 1] } } }", "The search of logistic names strengt"),
        ("search: { logistic: { strength: { between: [2, 1] } } }", "should be a lower and a higher number"),
        ("search: { logistic: { strength: 3 } }", "logistic.strength"),
        ("search: { logistc: {} }", "there is no family logistc; did you mean logistic?"),
        ("search: { logistic: {} }", "logistic has no search space"),
        ("prequential: { folds: 0 }", "folds is 0"),
        ("prequential: { folds: 9 }", "9 folds of 5 days after 7 days of delay need 57 days of training"),
        ("families: { logistic: { columns: [amount, amout] } }", "it cannot read amout"),
    ],
)
def test_what_cannot_be_searched_is_told(recipe, message, run, capsys) -> None:  # noqa: ANN001
    path = run.with_name("search.yaml")
    path.write_text(recipe)
    arguments = ["--run", str(run), "--recipe", str(path), "--trials", "1", "--fold-days", "5"]
    assert main(["optimise", "logistic", *arguments]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert not (run / "optimisation").exists()
