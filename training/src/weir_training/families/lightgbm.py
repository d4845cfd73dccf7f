"""Gradient-boosted trees by LightGBM: the default champion."""

from dataclasses import dataclass, field
from typing import ClassVar

import lightgbm as lgb
import numpy as np
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

from weir_training.dataset import Rows
from weir_training.families.base import THREADS, Family, Fitted
from weir_training.families.boosting import TREES, DrawingSettings, LeafWiseSettings
from weir_training.space import Space, between


class LightGbmSettings(LeafWiseSettings, DrawingSettings):
    """Trees, how they grow, and what holds them back."""


@dataclass
class FittedLightGbm(Fitted):
    """A booster."""

    booster: lgb.Booster
    shape: tuple[int, ...]
    history: dict[str, list[float]] = field(default_factory=dict)

    def raw(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.booster.predict(X, num_threads=THREADS), dtype=np.float64)

    def to_onnx(self) -> bytes:
        """Export the raw model; a calibrated estimator converts without an error and scores wrong."""
        model = convert_lightgbm(
            self.booster,
            name="weir-gbm",  # the default is random
            initial_types=[("features", FloatTensorType([None, *self.shape]))],
            zipmap=False,  # onnxruntime-node takes tensors only
            target_opset=15,
        )
        return model.SerializeToString(deterministic=True)

    def importance(self) -> np.ndarray | None:
        gain = self.booster.feature_importance("gain")
        return gain / max(gain.sum(), np.finfo(float).tiny)

    def trees(self) -> str | None:
        return self.booster.model_to_string()


class LightGbm(Family):
    """Leaf-wise boosting; missing values choose their own way at every branch."""

    name = "lightgbm"
    title = "Gradient-boosted trees (LightGBM)"
    settings = LightGbmSettings
    space: ClassVar[Space] = TREES | {
        "leaves": between(4, 63, log=True),
        "min_rows_in_leaf": between(10, 300, log=True),
        "column_share": between(0.3, 1.0),
        "row_share": between(0.5, 1.0),
        "l1": between(0.0, 5.0),
    }

    def train(self, rows: Rows, validation: Rows | None, settings: LightGbmSettings) -> FittedLightGbm:
        parameters = {
            "objective": "binary",
            "metric": "binary_logloss",
            "num_leaves": settings.leaves,
            "learning_rate": settings.learning_rate,
            "min_data_in_leaf": settings.min_rows_in_leaf,
            "feature_fraction": settings.column_share,
            "bagging_fraction": settings.row_share,
            "bagging_freq": 1 if settings.row_share < 1 else 0,
            "lambda_l1": settings.l1,
            "lambda_l2": settings.l2,
            "seed": settings.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": THREADS,
            "verbosity": -1,
        }
        history: dict[str, dict[str, list[float]]] = {}
        data = lgb.Dataset(rows.X, rows.label.astype(np.int8), weight=settings.weights(rows.label))
        watched, callbacks = [data], [lgb.record_evaluation(history)]
        if settings.early_stopping and validation is not None:
            watched.append(data.create_valid(validation.X, validation.label.astype(np.int8)))
            callbacks.append(lgb.early_stopping(settings.early_stopping, first_metric_only=True, verbose=False))
        booster = lgb.train(
            parameters,
            data,
            num_boost_round=settings.trees,
            valid_sets=watched,
            valid_names=["train", "validation"][: len(watched)],
            callbacks=callbacks,
        )
        losses = {f"{name} loss": values["binary_logloss"] for name, values in history.items()}
        return FittedLightGbm(with_float32_thresholds(booster), (rows.X.shape[1],), losses)


def with_float32_thresholds(booster: lgb.Booster) -> lgb.Booster:
    """Round every threshold down to a float32.

    Serving compares float32 with float32. A threshold between two neighbouring float32 may round up to the higher
    one, which then goes left instead of right. Rounded down, ``x <= threshold`` is the same for every float32 x.
    """
    text = booster.model_to_string(num_iteration=booster.best_iteration or None)
    # tree_sizes holds the lengths of texts that change here; without it LightGBM reads tree by tree.
    lines = [line for line in text.split("\n") if not line.startswith("tree_sizes=")]
    for i, line in enumerate(lines):
        if line.startswith("threshold="):
            thresholds = [float(text) for text in line.removeprefix("threshold=").split()]
            lines[i] = "threshold=" + " ".join(repr(float(t)) for t in floor32(np.array(thresholds)))
    return lgb.Booster(model_str="\n".join(lines))


def floor32(values: np.ndarray) -> np.ndarray:
    """Round down to float32."""
    rounded = values.astype(np.float32)
    return np.where(rounded > values, np.nextafter(rounded, np.float32(-np.inf)), rounded)
