import numpy as np
import onnx
import pandas as pd
import pytest

from weir_training.calibrate import Knots, fit_calibration, score_map
from weir_training.dataset import Rows
from weir_training.errors import TrainingError
from weir_training.evaluate import Scored, calibration, evaluate
from weir_training.families import family
from weir_training.families.base import Fitted
from weir_training.families.lightgbm import LightGbm, LightGbmSettings
from weir_training.normalise import Normaliser
from weir_training.package import onnx_scores, require_parity
from weir_training.recipe import settings_of
from weir_training.split import DAY, Plan, plan_periods


def test_calibration_gives_back_the_rates_it_was_fitted_on() -> None:
    rng = np.random.default_rng(3)
    truth = rng.beta(0.3, 6, 200_000)
    label = rng.random(len(truth)) < truth
    raw = truth**2  # ranks well, but is no probability
    knots = fit_calibration(raw, label)
    assert len(knots.x) <= 51
    assert (np.diff(knots.x) > 0).all()
    assert (np.diff(knots.y) > 0).all()
    assert calibration_error(label, raw) > 0.02
    assert calibration_error(label, knots(raw)) < 0.002
    assert np.abs(knots(raw) - truth).mean() < 0.01


def test_calibration_keeps_the_ranking() -> None:
    rng = np.random.default_rng(4)
    raw = np.sort(rng.random(5_000))
    probability = fit_calibration(raw, rng.random(5_000) < raw)(raw)
    assert (np.diff(probability) > 0).all()


def test_score_map_doubles_the_odds_every_fifty_points() -> None:
    odds = 1e-4 * 2.0 ** np.arange(0, 20)
    np.testing.assert_allclose(score_map()(odds / (1 + odds)), np.arange(0, 1000, 50), atol=1e-6)
    assert score_map()(np.array([0.0, 1.0])).tolist() == [0.0, 999.0]


def test_knots_interpolate_as_serving_does() -> None:
    knots = Knots(np.array([0.0, 0.1, 0.5, 1.0]), np.array([0.0, 0.01, 0.01, 1.0]))
    values = np.array([-1.0, 0.0, 0.05, 0.1, 0.3, 0.75, 1.0, 7.0])
    np.testing.assert_allclose(knots(values), [0, 0, 0.005, 0.01, 0.01, 0.505, 1, 1], atol=1e-12)


def test_metrics_of_a_perfect_score() -> None:
    label = np.arange(1_000) >= 990
    metrics = evaluate(rows_of(label[:, None], label), label.astype(float))
    assert metrics["average_precision"] == metrics["auc_roc"] == metrics["recall_at_1.0%"] == 1.0
    assert metrics["brier"] == metrics["ece"] == 0.0
    assert metrics["recall_at_0.5%"] == 0.5


def neighbouring_floats() -> Rows:
    """Two float32 values next to each other, so that the threshold between them is none."""
    low = np.float32(0.1)
    high = np.nextafter(low, np.float32(1))
    label = np.arange(400) % 2 == 1
    return rows_of(np.where(label, high, low).astype(np.float32)[:, None], label)


def rows_of(X: np.ndarray, label: np.ndarray) -> Rows:
    return Rows(X, label, pd.DataFrame({"customer_id": np.arange(len(X)).astype(str), "event_time": 0}))


def calibration_error(label: np.ndarray, probability: np.ndarray) -> float:
    scored = Scored.of(rows_of(probability[:, None], label), probability)
    return float(calibration(scored, scored.once())["ece"][0])


def boost(rows: Rows, **settings: float) -> Fitted:
    return LightGbm().train(rows, None, LightGbmSettings(**settings))


def test_thresholds_part_neighbouring_float32_values_in_onnx_too() -> None:
    rows = neighbouring_floats()
    fitted = boost(rows, trees=5, leaves=2, learning_rate=0.5)
    raw = fitted.raw(rows.X)
    assert raw[1] - raw[0] > 0.3
    require_parity(raw, fitted.to_onnx(), rows.X, (1,))


def test_missing_values_score_alike_where_training_saw_none() -> None:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(2_000, 4)).astype(np.float32)
    fitted = boost(rows_of(X, X[:, 0] + X[:, 1] > 0.5), trees=20, leaves=7, learning_rate=0.1)
    holes = X.copy()
    holes[rng.random(X.shape) < 0.3] = np.nan
    require_parity(fitted.raw(holes), fitted.to_onnx(), holes, (4,))


def test_a_wrong_export_is_not_let_out() -> None:
    rng = np.random.default_rng(6)
    X = rng.normal(size=(500, 3)).astype(np.float32)
    fitted = boost(rows_of(X, X[:, 0] > 0), trees=3, leaves=3, learning_rate=0.1)
    model = onnx.load_from_string(fitted.to_onnx())
    weights = next(a for a in model.graph.node[0].attribute if a.name == "class_weights")
    weights.floats[0] += 0.01
    with pytest.raises(TrainingError, match="off from the model"):
        require_parity(fitted.raw(X), model.SerializeToString(), X, (3,))
    assert onnx_scores(fitted.to_onnx(), X, (3,)).shape == (500,)


def test_a_normaliser_brings_everything_within_limits() -> None:
    rng = np.random.default_rng(8)
    X = rng.lognormal(3, 2, (1_000, 3)).astype(np.float32)
    X[:, 1] = np.nan
    X[::3, 2] = np.nan
    normaliser = Normaliser.fit(X)
    normal = normaliser(X)
    assert normal.shape == (1_000, normaliser.width) == (1_000, 4)
    assert np.isfinite(normal).all()
    np.testing.assert_allclose(normal[:, 0].mean(), 0, atol=1e-5)
    np.testing.assert_allclose(normal[:, 0].std(), 1, atol=1e-5)
    assert (normal[:, 1] == 0).all()
    assert (normal[:, 3] == (np.arange(1_000) % 3 == 0)).all()
    far = normaliser(np.array([[1e30, 0, -1e30]], dtype=np.float32))
    assert np.abs(far).max() <= 8


def test_a_test_that_begins_on_a_day_has_all_before_the_delay_to_train_on() -> None:
    days = np.arange(0, 40 * DAY, DAY)
    periods = plan_periods(days, Plan(validation_days=0, test_start=20 * DAY, test_days=5))
    found = {name: (period.start // DAY, period.end // DAY) for name, period in periods.items()}
    assert found == {"train": (0, 13), "test": (20, 25)}


# The families of trees, and settings with which a cut lies between any two values.
TREES = {
    "lightgbm": {"min_rows_in_leaf": 5},
    "xgboost": {"min_child_weight": 1.0},
    "histgb": {"min_rows_in_leaf": 5},
    "forest": {"trees": 20},
    "isolation": {"rows_a_tree": 4096},
}


@pytest.mark.parametrize("name", TREES)
def test_a_row_goes_the_same_way_in_the_export_however_near_the_cut(name: str) -> None:
    """Values so near each other that a cut seldom has room between two, and the last bit of a value decides."""
    rng = np.random.default_rng(9)
    X = (1000 + rng.random((20_000, 3))).astype(np.float32)
    X[rng.random(X.shape) < 0.02] = np.nan
    label = np.nan_to_num(X).sum(axis=1) + rng.normal(0, 0.2, len(X)) > 3002
    fitted = family(name).train(rows_of(X, label), None, settings_of(name, TREES[name]))
    assert require_parity(fitted.raw(X), fitted.to_onnx(), X, (3,)) < 2e-6
