"""Random forest."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from pydantic import Field
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import RandomForestClassifier

from weir_training.dataset import Rows
from weir_training.families.base import THREADS, ClassifierSettings, Family, Fitted
from weir_training.normalise import Filler, behind
from weir_training.space import Space, between


class ForestSettings(ClassifierSettings):
    """Trees and how they grow."""

    trees: int = Field(100, ge=1, description="Trees.")
    depth: int = Field(12, ge=1, description="Branches from root to leaf, at most.")
    min_rows_in_leaf: int = Field(5, ge=1, description="Rows that a leaf holds at least.")
    column_share: float = Field(0.2, gt=0, le=1, description="Share of the columns that a branch may look at.")


@dataclass
class FittedForest(Fitted):
    """A forest behind a filler: it cannot read missing values."""

    filler: Filler
    forest: RandomForestClassifier
    shape: tuple[int, ...]
    history: dict[str, list[float]] = field(default_factory=dict)

    def raw(self, X: np.ndarray) -> np.ndarray:
        return self.forest.predict_proba(self.filler(X))[:, 1].astype(np.float64)

    def to_onnx(self) -> bytes:
        body = to_onnx(
            self.forest,
            initial_types=[("rows", FloatTensorType([None, self.filler.width]))],
            options={"zipmap": False},
            target_opset={"": 15, "ai.onnx.ml": 1},
        )
        return behind(self.filler, body.SerializeToString(deterministic=True), self.shape[0])

    def importance(self) -> np.ndarray | None:
        return self.filler.by_column(self.forest.feature_importances_)


class Forest(Family):
    """Bagged trees on drawn rows and columns."""

    name = "forest"
    title = "Random forest"
    settings = ForestSettings
    space: ClassVar[Space] = {
        "depth": between(4, 20),
        "min_rows_in_leaf": between(1, 50, log=True),
        "column_share": between(0.05, 1.0, log=True),
        "fraud_weight": between(1.0, 50.0, log=True),
    }

    def train(self, rows: Rows, validation: Rows | None, settings: ForestSettings) -> FittedForest:
        filler = Filler.fit(rows.X)
        forest = RandomForestClassifier(
            n_estimators=settings.trees,
            max_depth=settings.depth,
            min_samples_leaf=settings.min_rows_in_leaf,
            max_features=settings.column_share,
            n_jobs=THREADS,
            random_state=settings.seed,
        )
        forest.fit(filler(rows.X), rows.label, sample_weight=settings.weights(rows.label))
        forest.set_params(n_jobs=1)  # threads add up the trees' scores in whatever order they end
        return FittedForest(filler, forest, (rows.X.shape[1],))
