"""Linear models on normalised columns: logistic regression, and what linear support vectors share with it."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from onnx import helper, numpy_helper
from pydantic import Field
from sklearn.linear_model import LogisticRegression, SGDClassifier

from weir_training.dataset import Rows
from weir_training.families.base import ClassifierSettings, Family, Fitted
from weir_training.normalise import Normaliser, graph
from weir_training.space import Space, between


class LogisticSettings(ClassifierSettings):
    """The penalty and the way down."""

    penalty: Literal["l2", "l1", "elasticnet"] = Field("l2", description="How large weights are punished.")
    strength: float = Field(1e-4, gt=0, description="Of the penalty, a row; larger holds weights nearer to 0.")
    optimiser: Literal["lbfgs", "sgd"] = Field(
        "lbfgs", description="Quasi-Newton, or stochastic gradient descent."
    )
    learning_rate: float = Field(0.01, gt=0, description="Of stochastic gradient descent, at its start.")
    epochs: int = Field(200, ge=1, description="Passes over the rows, or iterations, at most.")


@dataclass
class FittedLinear(Fitted):
    """Weights behind a normaliser; the raw score is the logistic function of the weighted sum."""

    normaliser: Normaliser
    weights: np.ndarray
    intercept: float
    shape: tuple[int, ...]
    history: dict[str, list[float]] = field(default_factory=dict)

    def raw(self, X: np.ndarray) -> np.ndarray:
        margin = self.normaliser(X).astype(np.float64) @ self.weights + self.intercept
        return 1 / (1 + np.exp(-margin))

    def to_onnx(self) -> bytes:
        nodes, constants = self.normaliser.nodes("features", "normalised")
        nodes += [
            helper.make_node("MatMul", ["normalised", "weights"], ["weighted"]),
            helper.make_node("Add", ["weighted", "intercept"], ["margin"]),
            helper.make_node("Sigmoid", ["margin"], ["probability"]),
        ]
        constants += [
            numpy_helper.from_array(self.weights.astype(np.float32)[:, None], "weights"),
            numpy_helper.from_array(np.array([self.intercept], dtype=np.float32), "intercept"),
        ]
        return graph(nodes, constants, self.shape, "probability")

    def importance(self) -> np.ndarray | None:
        """Share of the absolute weights: columns have one scale."""
        size = self.normaliser.by_column(np.abs(self.weights))
        return size / max(size.sum(), np.finfo(float).tiny)


class Logistic(Family):
    """Logistic regression."""

    name = "logistic"
    title = "Logistic regression"
    settings = LogisticSettings
    space: ClassVar[Space] = {
        "strength": between(1e-6, 0.1, log=True),
        "fraud_weight": between(1.0, 50.0, log=True),
    }
    rows_at_once = 64

    def train(self, rows: Rows, validation: Rows | None, settings: LogisticSettings) -> FittedLinear:
        normaliser = Normaliser.fit(rows.X)
        X, weights = normaliser(rows.X), settings.weights(rows.label)
        ratio = {"l2": 0.0, "l1": 1.0, "elasticnet": 0.5}[settings.penalty]
        if settings.optimiser == "lbfgs" and settings.penalty == "l2":
            model = LogisticRegression(C=1 / (settings.strength * len(X)), max_iter=settings.epochs)
        else:
            model = SGDClassifier(
                loss="log_loss",
                penalty=settings.penalty,
                alpha=settings.strength,
                l1_ratio=ratio,
                learning_rate="adaptive",
                eta0=settings.learning_rate,
                max_iter=settings.epochs,
                random_state=settings.seed,
            )
        model.fit(X, rows.label, sample_weight=weights)
        return FittedLinear(normaliser, model.coef_[0], float(model.intercept_[0]), (rows.X.shape[1],))
