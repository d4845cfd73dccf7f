"""Support vector machines."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from pydantic import Field
from sklearn.svm import SVC, LinearSVC

from weir_training.dataset import Rows
from weir_training.families.base import ClassifierSettings, Family, Fitted
from weir_training.families.linear import FittedLinear
from weir_training.normalise import Normaliser, graph
from weir_training.space import Space, between


class SvmSettings(ClassifierSettings):
    """The kernel and the margin."""

    kernel: Literal["rbf", "linear"] = Field("rbf", description="Radial basis functions, or a plane.")
    c: float = Field(1.0, gt=0, description="Price of a row on the wrong side of the margin.")
    gamma: float = Field(0.01, gt=0, description="Of the radial basis functions: exp(-gamma * distance²).")
    most_rows: int = Field(12_000, ge=100, description="Rows learned from; time grows with their square.")


@dataclass
class FittedRbf(Fitted):
    """Support vectors behind a normaliser.

    The margin is sum(alpha * exp(-gamma * |x - v|²)) + b; the raw score its logistic function, so that it lies in
    [0, 1] like others: a probability only after calibration. |x - v|² is |x|² - 2 x·v + |v|².
    """

    normaliser: Normaliser
    vectors: np.ndarray
    alpha: np.ndarray
    intercept: float
    gamma: float
    shape: tuple[int, ...]
    history: dict[str, list[float]] = field(default_factory=dict)

    def raw(self, X: np.ndarray) -> np.ndarray:
        vectors = self.vectors.astype(np.float64)
        scores = []
        for part in np.array_split(self.normaliser(X).astype(np.float64), max(1, len(X) // 4096)):
            distance = (part**2).sum(1)[:, None] - 2 * part @ vectors.T + (vectors**2).sum(1)
            margin = np.exp(-self.gamma * np.maximum(distance, 0)) @ self.alpha + self.intercept
            scores.append(1 / (1 + np.exp(-margin)))
        return np.concatenate(scores)

    def to_onnx(self) -> bytes:
        nodes, constants = self.normaliser.nodes("features", "normalised")
        node = helper.make_node
        nodes += [
            # In float32 the three terms of the distance, each far larger than it, would cost five digits.
            node("Cast", ["normalised"], ["exact"], to=TensorProto.DOUBLE),
            node("Mul", ["exact", "exact"], ["squares"]),
            node("ReduceSum", ["squares", "last_axis"], ["length"], keepdims=1),
            node("MatMul", ["exact", "vectors"], ["products"]),
            node("Mul", ["products", "minus_two"], ["minus_products"]),
            node("Add", ["length", "minus_products"], ["apart"]),
            node("Add", ["apart", "lengths"], ["distance"]),
            node("Max", ["distance", "zero"], ["distance_held"]),
            node("Mul", ["distance_held", "minus_gamma"], ["exponent"]),
            node("Exp", ["exponent"], ["kernel"]),
            node("MatMul", ["kernel", "alpha"], ["weighted"]),
            node("Add", ["weighted", "intercept"], ["margin"]),
            node("Sigmoid", ["margin"], ["exact_probability"]),
            node("Cast", ["exact_probability"], ["probability"], to=TensorProto.FLOAT),
        ]
        values = {
            "last_axis": np.array([1], dtype=np.int64),
            "vectors": np.ascontiguousarray(self.vectors.T.astype(np.float64)),
            "lengths": (self.vectors.astype(np.float64) ** 2).sum(1),
            "zero": np.float64(0),
            "minus_two": np.float64(-2),
            "minus_gamma": np.float64(-self.gamma),
            "alpha": self.alpha[:, None],
            "intercept": np.array([self.intercept]),
        }
        constants += [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()]
        return graph(nodes, constants, self.shape, "probability")


class Svm(Family):
    """Support vector machine: radial basis functions on a sample of the rows, or a plane through all of them."""

    name = "svm"
    title = "Support vector machine"
    settings = SvmSettings
    space: ClassVar[Space] = {
        "c": between(0.01, 100.0, log=True),
        "gamma": between(0.001, 0.3, log=True),
        "fraud_weight": between(1.0, 50.0, log=True),
    }
    rows_at_once = 64

    def train(self, rows: Rows, validation: Rows | None, settings: SvmSettings) -> Fitted:
        sample = _sample(rows, settings) if settings.kernel == "rbf" else rows
        normaliser = Normaliser.fit(sample.X)
        X, shape = normaliser(sample.X), (rows.X.shape[1],)
        weights = {False: 1.0, True: settings.fraud_weight}
        if settings.kernel == "linear":
            plane = LinearSVC(C=settings.c, class_weight=weights, dual=False, random_state=settings.seed)
            plane.fit(X, sample.label)
            return FittedLinear(normaliser, plane.coef_[0], float(plane.intercept_[0]), shape)
        machine = SVC(C=settings.c, gamma=settings.gamma, class_weight=weights)
        machine.fit(X, sample.label)
        return FittedRbf(
            normaliser=normaliser,
            vectors=machine.support_vectors_.astype(np.float32),
            alpha=machine.dual_coef_[0],
            intercept=float(machine.intercept_[0]),
            gamma=settings.gamma,
            shape=shape,
        )


def _sample(rows: Rows, settings: SvmSettings) -> Rows:
    """All frauds, or half of the sample of them, and good rows drawn at random, in order of time."""
    if len(rows.label) <= settings.most_rows:
        return rows
    rng = np.random.default_rng(settings.seed)
    frauds = np.flatnonzero(rows.label)
    frauds = rng.permutation(frauds)[: settings.most_rows // 2]
    good = rng.permutation(np.flatnonzero(~rows.label))[: settings.most_rows - len(frauds)]
    return rows.take(np.sort(np.concatenate([frauds, good])))
