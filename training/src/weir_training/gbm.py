"""Gradient-boosted trees (LightGBM) and their ONNX export."""

import lightgbm as lgb
import numpy as np
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

THREADS = 2
"""Fixed: sums of gradients depend on it, and the same table must give the same model."""


def train(X: np.ndarray, y: np.ndarray, *, trees: int, leaves: int, learning_rate: float) -> lgb.Booster:
    """Train a binary classifier whose branches mean the same in float32 as in float64.

    Parameters
    ----------
    X : ndarray of float32, shape (rows, columns)
        NaN is missing.
    y : ndarray of bool
        Fraud. Classes are not reweighted: the raw score stays near a probability.
    """
    parameters = {
        "objective": "binary",
        "num_leaves": leaves,
        "learning_rate": learning_rate,
        "min_data_in_leaf": 50,
        "feature_fraction": 0.8,
        "lambda_l2": 1.0,
        "seed": 7,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": THREADS,
        "verbosity": -1,
    }
    booster = lgb.train(parameters, lgb.Dataset(X, label=y.astype(np.int8)), num_boost_round=trees)
    return _with_float32_thresholds(booster)


def raw_scores(booster: lgb.Booster, X: np.ndarray) -> np.ndarray:
    """Uncalibrated probability of fraud, one a row, float64."""
    return np.asarray(booster.predict(X, num_threads=THREADS), dtype=np.float64)


def importance(booster: lgb.Booster, columns: list[str]) -> dict[str, float]:
    """Share of the total gain by column, highest first."""
    gain = booster.feature_importance("gain")
    share = gain / max(gain.sum(), np.finfo(float).tiny)
    return {columns[i]: float(share[i]) for i in np.argsort(-share, kind="stable")}


def to_onnx(booster: lgb.Booster, columns: int) -> bytes:
    """Export the raw model; never a calibrated estimator, which converts without an error and scores wrong."""
    model = convert_lightgbm(
        booster,
        name="weir-gbm",  # the default is random
        initial_types=[("features", FloatTensorType([None, columns]))],
        zipmap=False,  # onnxruntime-node takes tensors only
        target_opset=15,
    )
    return model.SerializeToString(deterministic=True)


def _with_float32_thresholds(booster: lgb.Booster) -> lgb.Booster:
    """Round every threshold down to a float32.

    Serving compares float32 with float32. A threshold between two neighbouring float32 may round up to the higher
    one, which then goes left instead of right. Rounded down, ``x <= threshold`` is the same for every float32 x.
    """
    # tree_sizes holds the lengths of texts that change here; without it LightGBM reads tree by tree.
    lines = [line for line in booster.model_to_string().split("\n") if not line.startswith("tree_sizes=")]
    for i, line in enumerate(lines):
        if line.startswith("threshold="):
            thresholds = [float(text) for text in line.removeprefix("threshold=").split()]
            lines[i] = "threshold=" + " ".join(repr(float(t)) for t in _floor32(np.array(thresholds)))
    return lgb.Booster(model_str="\n".join(lines))


def _floor32(values: np.ndarray) -> np.ndarray:
    rounded = values.astype(np.float32)
    return np.where(rounded > values, np.nextafter(rounded, np.float32(-np.inf)), rounded)
