"""trees.json says what the booster says."""

import base64
import json

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from weir_training.dataset import Rows
from weir_training.errors import TrainingError
from weir_training.families.lightgbm import FittedLightGbm, LightGbm, LightGbmSettings
from weir_training.package import with_holes
from weir_training.trees import trees_file


def fitted(X: np.ndarray, label: np.ndarray) -> FittedLightGbm:
    frame = pd.DataFrame({"customer_id": np.arange(len(X)).astype(str), "event_time": 0})
    return LightGbm().train(Rows(X, label, frame), None, LightGbmSettings(trees=20, leaves=7))


def read(booster: lgb.Booster, golden: np.ndarray) -> dict:
    return json.loads(trees_file(booster.model_to_string(), golden))


def margin(tree: dict, row: np.ndarray, node: int = 0) -> float:
    column, value = tree["column"][node], tree["value"][node]
    if column < 0:
        return value
    goes_left = tree["missing_left"][node] if np.isnan(row[column]) else row[column] <= value
    return margin(tree, row, node + 1 if goes_left else tree["right"][node])


@pytest.mark.parametrize("seen", [True, False])
def test_trees_give_the_log_odds_of_the_booster(seen: bool) -> None:
    """Missing values go where LightGBM sends them, whether training saw some or none."""
    rng = np.random.default_rng(9)
    X = rng.normal(size=(2_000, 4)).astype(np.float32)
    label = X[:, 0] + X[:, 1] * X[:, 2] > 0.5
    holes = with_holes(X)
    booster = fitted(holes if seen else X, label).booster
    file = read(booster, holes[:200])
    ours = [sum(margin(tree, row) for tree in file["trees"]) for row in holes[:200]]
    np.testing.assert_allclose(ours, booster.predict(holes[:200], raw_score=True), rtol=0, atol=1e-12)
    contributions = np.frombuffer(base64.b64decode(file["golden"]["contributions"])).reshape(-1, 5)
    rows = file["golden"]["rows"]
    assert rows == list(range(0, 200, 10))
    np.testing.assert_allclose(contributions.sum(axis=1), np.array(ours)[rows], rtol=0, atol=1e-9)
    for tree in file["trees"]:
        assert tree["cover"][0] == len(X)


def test_splits_that_weir_does_not_know_are_refused() -> None:
    rng = np.random.default_rng(10)
    X = rng.integers(0, 5, size=(500, 2)).astype(float)
    data = lgb.Dataset(X, (X[:, 0] == 3).astype(int), categorical_feature=[0])
    booster = lgb.train({"objective": "binary", "verbosity": -1, "min_data_in_leaf": 5}, data, 3)
    with pytest.raises(TrainingError, match="weir knows numbers"):
        read(booster, X[:20])
