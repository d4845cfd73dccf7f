"""Gradient-boosted trees by XGBoost."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import xgboost as xgb
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from pydantic import Field

from weir_training.dataset import Rows
from weir_training.families.base import THREADS, Family, Fitted
from weir_training.families.boosting import TREES, DrawingSettings
from weir_training.space import Space, between


class XgBoostSettings(DrawingSettings):
    """Trees, how they grow, and what holds them back."""

    depth: int = Field(4, ge=1, description="Branches from root to leaf, at most.")
    min_child_weight: float = Field(5.0, ge=0, description="Sum of second derivatives that a leaf holds at least.")
    row_share: float = Field(0.8, gt=0, le=1, description="Share of the rows that a tree learns from.")


@dataclass
class FittedXgBoost(Fitted):
    """A booster."""

    classifier: xgb.XGBClassifier
    shape: tuple[int, ...]
    history: dict[str, list[float]] = field(default_factory=dict)

    def raw(self, X: np.ndarray) -> np.ndarray:
        return self.classifier.predict_proba(X)[:, 1].astype(np.float64)

    def to_onnx(self) -> bytes:
        model = convert_xgboost(
            self.classifier,
            name="weir-xgb",
            initial_types=[("features", FloatTensorType([None, *self.shape]))],
            target_opset=15,
        )
        return model.SerializeToString(deterministic=True)

    def importance(self) -> np.ndarray | None:
        return self.classifier.feature_importances_.astype(np.float64)


class XgBoost(Family):
    """Depth-wise boosting on histograms; missing values choose their own way at every branch."""

    name = "xgboost"
    title = "Gradient-boosted trees (XGBoost)"
    settings = XgBoostSettings
    space: ClassVar[Space] = TREES | {
        "depth": between(2, 8),
        "min_child_weight": between(1.0, 100.0, log=True),
        "column_share": between(0.3, 1.0),
        "row_share": between(0.5, 1.0),
        "l1": between(0.0, 5.0),
    }

    def train(self, rows: Rows, validation: Rows | None, settings: XgBoostSettings) -> FittedXgBoost:
        stops = bool(settings.early_stopping and validation is not None)
        classifier = xgb.XGBClassifier(
            n_estimators=settings.trees,
            max_depth=settings.depth,
            learning_rate=settings.learning_rate,
            min_child_weight=settings.min_child_weight,
            colsample_bytree=settings.column_share,
            subsample=settings.row_share,
            reg_alpha=settings.l1,
            reg_lambda=settings.l2,
            early_stopping_rounds=settings.early_stopping if stops else None,
            eval_metric="logloss",
            base_score=0.5,
            tree_method="hist",
            n_jobs=THREADS,
            random_state=settings.seed,
        )
        watched = [(rows.X, rows.label), *([(validation.X, validation.label)] if stops and validation else [])]
        weights = settings.weights(rows.label)
        classifier.fit(rows.X, rows.label, sample_weight=weights, eval_set=watched, verbose=False)
        found = classifier.evals_result()
        names = ["train loss", "validation loss"]
        losses = {name: found[f"validation_{i}"]["logloss"] for i, name in enumerate(names[: len(watched)])}
        return FittedXgBoost(classifier, (rows.X.shape[1],), losses)
