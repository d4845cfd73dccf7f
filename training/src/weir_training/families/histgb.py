"""Gradient-boosted trees by scikit-learn."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import HistGradientBoostingClassifier

from weir_training.dataset import Rows
from weir_training.families.base import Family, Fitted
from weir_training.families.boosting import TREES, LeafWiseSettings
from weir_training.space import Space, between


class HistGbSettings(LeafWiseSettings):
    """Trees, how they grow, and what holds them back."""


@dataclass
class FittedHistGb(Fitted):
    """A booster."""

    booster: HistGradientBoostingClassifier
    shape: tuple[int, ...]
    history: dict[str, list[float]] = field(default_factory=dict)

    def raw(self, X: np.ndarray) -> np.ndarray:
        return self.booster.predict_proba(X)[:, 1].astype(np.float64)

    def to_onnx(self) -> bytes:
        model = to_onnx(
            self.booster,
            initial_types=[("features", FloatTensorType([None, *self.shape]))],
            options={"zipmap": False},
            target_opset={"": 15, "ai.onnx.ml": 3},
        )
        return model.SerializeToString(deterministic=True)


class HistGb(Family):
    """Leaf-wise boosting on histograms."""

    name = "histgb"
    title = "Gradient-boosted trees (scikit-learn)"
    settings = HistGbSettings
    space: ClassVar[Space] = TREES | {
        "leaves": between(4, 63, log=True),
        "min_rows_in_leaf": between(10, 300, log=True),
    }

    def train(self, rows: Rows, validation: Rows | None, settings: HistGbSettings) -> FittedHistGb:
        booster = HistGradientBoostingClassifier(
            max_iter=settings.trees,
            max_leaf_nodes=settings.leaves,
            learning_rate=settings.learning_rate,
            min_samples_leaf=settings.min_rows_in_leaf,
            l2_regularization=settings.l2,
            early_stopping=False,
            random_state=settings.seed,
        )
        booster.fit(rows.X, rows.label, sample_weight=settings.weights(rows.label))
        return FittedHistGb(booster, (rows.X.shape[1],))
