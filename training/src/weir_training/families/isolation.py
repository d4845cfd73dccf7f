"""Isolation forest: how few cuts set a payment apart from others."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from onnx import helper, numpy_helper
from pydantic import Field
from sklearn.ensemble import IsolationForest

from weir_training.dataset import Rows
from weir_training.families.base import THREADS, Family, Fitted, Settings
from weir_training.families.lightgbm import floor32
from weir_training.normalise import Filler, Normaliser, graph
from weir_training.space import Space, between


class IsolationSettings(Settings):
    """Trees and what each sees."""

    trees: int = Field(100, ge=1, description="Trees.")
    rows_a_tree: int = Field(256, ge=2, description="Rows that a tree is grown on.")


@dataclass
class FittedIsolation(Fitted):
    """The trees as sums of depths.

    The raw score is 2^(-E(h) / c(rows a tree)): E(h) the mean depth at which a row stands alone, c what it is on
    average. 0.5 is ordinary; near 1 is odd. skl2onnx makes a graph of it that takes 5 ms a row; as an ensemble of
    regression trees it takes microseconds.

    References
    ----------
    F. Liu, K. Ting, Z.-H. Zhou: Isolation Forest. ICDM 2008.
    """

    filler: Filler
    forest: IsolationForest
    shape: tuple[int, ...]
    history: dict[str, list[float]] = field(default_factory=dict)

    def raw(self, X: np.ndarray) -> np.ndarray:
        return -self.forest.score_samples(self.filler(X)).astype(np.float64)

    def to_onnx(self) -> bytes:
        nodes, constants = self.filler.nodes("features", "filled")
        average = float(_average_depth(np.array([self.forest._max_samples]))[0])
        nodes += [
            helper.make_node(
                "TreeEnsembleRegressor",
                ["filled"],
                ["depth"],
                domain="ai.onnx.ml",
                n_targets=1,
                **_trees(self.forest),
            ),
            helper.make_node("Mul", ["depth", "per_tree"], ["exponent"]),
            helper.make_node("Pow", ["two", "exponent"], ["anomaly"]),
        ]
        per_tree = -1 / (len(self.forest.estimators_) * average)
        constants += [
            numpy_helper.from_array(np.array(per_tree, dtype=np.float32), "per_tree"),
            numpy_helper.from_array(np.array(2, dtype=np.float32), "two"),
        ]
        return graph(nodes, constants, self.shape, "anomaly")


class Isolation(Family):
    """Anomaly score without labels."""

    name = "isolation"
    title = "Isolation forest"
    kind = "anomaly"
    settings = IsolationSettings
    space: ClassVar[Space] = {"trees": between(50, 200), "rows_a_tree": between(64, 4096, log=True)}

    def train(self, rows: Rows, validation: Rows | None, settings: IsolationSettings) -> FittedIsolation:
        normaliser = Normaliser.fit(rows.X)
        forest = IsolationForest(
            n_estimators=settings.trees,
            max_samples=min(settings.rows_a_tree, len(rows.X)),
            n_jobs=THREADS,
            random_state=settings.seed,
        )
        forest.fit(normaliser(rows.X))
        _move_cuts(forest, normaliser)
        return FittedIsolation(normaliser.filler, forest, (rows.X.shape[1],))


def _move_cuts(forest: IsolationForest, normaliser: Normaliser) -> None:
    """Have trees that grew on normalised rows read filled ones, so that no logarithm is compared with a cut.

    Cuts are drawn evenly on the logarithms, which long tails need. Moved, they part the same rows, but for a row
    within rounding of a cut, and are float32, as in the graph.
    """
    for estimator, columns in zip(forest.estimators_, forest.estimators_features_, strict=True):
        tree = estimator.tree_
        inner = tree.children_left != tree.children_right
        moved = normaliser.unscaled(tree.threshold[inner], columns[tree.feature[inner]])
        tree.threshold[inner] = floor32(moved)


def _average_depth(rows: np.ndarray) -> np.ndarray:
    """Mean depth of an unsuccessful search in a binary tree of so many rows."""
    rows = rows.astype(np.float64)
    many = 2 * (np.log(np.maximum(rows, 2) - 1) + np.euler_gamma) - 2 * (rows - 1) / np.maximum(rows, 1)
    return np.where(rows > 2, many, np.where(rows == 2, 1.0, 0.0))


def _trees(forest: IsolationForest) -> dict:
    """Attributes of TreeEnsembleRegressor: each leaf is worth its depth, and what its rows would take further."""
    nodes: dict[str, list] = {
        key: []
        for key in (
            "treeids",
            "nodeids",
            "featureids",
            "values",
            "modes",
            "truenodeids",
            "falsenodeids",
        )
    }
    targets: dict[str, list] = {key: [] for key in ("treeids", "nodeids", "ids", "weights")}
    pairs = zip(forest.estimators_, forest.estimators_features_, strict=True)
    for number, (estimator, columns) in enumerate(pairs):
        tree = estimator.tree_
        depth = np.zeros(tree.node_count)
        for node in range(tree.node_count):
            left, right = tree.children_left[node], tree.children_right[node]
            leaf = left == right
            if not leaf:
                depth[left] = depth[right] = depth[node] + 1
            nodes["treeids"].append(number)
            nodes["nodeids"].append(node)
            nodes["featureids"].append(0 if leaf else int(columns[tree.feature[node]]))
            nodes["values"].append(0.0 if leaf else float(tree.threshold[node]))
            nodes["modes"].append("LEAF" if leaf else "BRANCH_LEQ")
            nodes["truenodeids"].append(0 if leaf else int(left))
            nodes["falsenodeids"].append(0 if leaf else int(right))
            if leaf:
                targets["treeids"].append(number)
                targets["nodeids"].append(node)
                targets["ids"].append(0)
                rest = _average_depth(np.array([tree.n_node_samples[node]]))[0]
                targets["weights"].append(float(depth[node] + rest))
    return {f"nodes_{k}": v for k, v in nodes.items()} | {f"target_{k}": v for k, v in targets.items()}
