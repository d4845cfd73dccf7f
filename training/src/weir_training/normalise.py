"""Cleaning and scaling that a model needs, learned on training rows and carried inside its ONNX graph."""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LIMIT = 8.0
"""Scaled values are held within ±this many standard deviations."""


@dataclass(frozen=True)
class Normaliser:
    """Missing values to the median, then signed logarithm, standard scale, and limits.

    Amounts and counts have long tails: ``sign(x) * log(1 + |x|)`` brings them together and is 0 at 0. A column
    that is sometimes missing gets a second one, 1 where it was. All arithmetic is in float32, as in the graph.

    Attributes
    ----------
    median, mean, scale : ndarray of float32, shape (columns,)
    holes : ndarray of int64
        Columns that were missing somewhere in the training rows.
    """

    median: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    holes: np.ndarray

    @classmethod
    def fit(cls, X: np.ndarray) -> "Normaliser":
        """Learn from rows, float32 with NaN for missing. A column without a value, or with one only, becomes 0."""
        present = np.isfinite(X)
        filled = np.where(present, X, np.nan)
        empty = ~present.any(axis=0)
        with np.errstate(all="ignore"):
            median = np.nan_to_num(np.nanmedian(np.where(empty, 0, filled), axis=0)).astype(np.float32)
        values = _signed_log(np.where(present, X, median).astype(np.float32))
        scale = values.std(axis=0, dtype=np.float64)
        return cls(
            median=median,
            mean=values.mean(axis=0, dtype=np.float64).astype(np.float32),
            scale=np.where(scale > 1e-6, scale, 1.0).astype(np.float32),
            holes=np.flatnonzero((~present).any(axis=0) & ~empty).astype(np.int64),
        )

    def by_column(self, shares: np.ndarray) -> np.ndarray:
        """Add up what is said of columns that came out, shape (width,), by the columns that went in."""
        columns = len(self.median)
        summed = shares[:columns].copy()
        summed[self.holes] += shares[columns:]
        return summed

    @property
    def width(self) -> int:
        """Columns that come out."""
        return len(self.median) + len(self.holes)

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Float32 rows without a missing value, shape (rows, width)."""
        missing = np.isnan(X)
        values = (_signed_log(np.where(missing, self.median, X).astype(np.float32)) - self.mean) / self.scale
        return np.hstack([np.clip(values, -LIMIT, LIMIT), missing[:, self.holes].astype(np.float32)])

    def nodes(self, source: str, target: str, prefix: str = "normalise_") -> tuple[list, list]:
        """Give the same as nodes and initialisers of a graph, from tensor `source` to tensor `target`."""
        name = {
            key: f"{prefix}{key}"
            for key in ("median", "mean", "scale", "one", "low", "high", "holes", "missing", "filled", "sign")
        }
        name |= {
            key: f"{prefix}{key}" for key in ("size", "more", "log", "signed", "shifted", "scaled", "held", "mask")
        }
        constants = {
            "median": self.median,
            "mean": self.mean,
            "scale": self.scale,
            "one": np.float32(1),
            "low": np.float32(-LIMIT),
            "high": np.float32(LIMIT),
            "holes": self.holes,
        }
        node = helper.make_node
        nodes = [
            node("IsNaN", [source], [name["missing"]]),
            node("Where", [name["missing"], name["median"], source], [name["filled"]]),
            node("Sign", [name["filled"]], [name["sign"]]),
            node("Abs", [name["filled"]], [name["size"]]),
            node("Add", [name["size"], name["one"]], [name["more"]]),
            node("Log", [name["more"]], [name["log"]]),
            node("Mul", [name["sign"], name["log"]], [name["signed"]]),
            node("Sub", [name["signed"], name["mean"]], [name["shifted"]]),
            node("Div", [name["shifted"], name["scale"]], [name["scaled"]]),
            node("Clip", [name["scaled"], name["low"], name["high"]], [name["held"]]),
            node("Cast", [name["missing"]], [name["mask"]], to=TensorProto.FLOAT),
            node("Gather", [name["mask"], name["holes"]], [f"{prefix}seen"], axis=1),
            node("Concat", [name["held"], f"{prefix}seen"], [target], axis=1),
        ]
        return nodes, [numpy_helper.from_array(np.asarray(v), name[k]) for k, v in constants.items()]


def _signed_log(values: np.ndarray) -> np.ndarray:
    return np.sign(values) * np.log(np.abs(values) + np.float32(1))


def graph(nodes: list, initialisers: list, shape: tuple[int, ...], output: str, width: int = 1) -> bytes:
    """Close nodes to a model: input ``features`` [rows, *shape], `output` [rows, width], float32."""
    rows = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", *shape])
    scores = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["rows", width])
    model = helper.make_model(
        helper.make_graph(nodes, "weir", [rows], [scores], initialisers),
        opset_imports=[helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 1)],
        ir_version=8,
    )
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def behind(normaliser: Normaliser, body: bytes, columns: int) -> bytes:
    """Put a normaliser before a model that was trained on normalised rows.

    Parameters
    ----------
    body : bytes
        A model with one input [rows, normaliser.width] and the score in its last output.
    columns : int
        Columns before normalising.
    """
    nodes, initialisers = normaliser.nodes("features", "normalised")
    prefixed = onnx.compose.add_prefix(onnx.load_from_string(body), "model_")
    source = prefixed.graph.input[0].name
    for node in prefixed.graph.node:
        for i, name in enumerate(node.input):
            if name == source:
                node.input[i] = "normalised"
    output = prefixed.graph.output[-1]
    rows = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", columns])
    model = helper.make_model(
        helper.make_graph(
            [*nodes, *prefixed.graph.node], "weir", [rows], [output], [*initialisers, *prefixed.graph.initializer]
        ),
        opset_imports=prefixed.opset_import,
        ir_version=prefixed.ir_version,
        functions=prefixed.functions,
    )
    return model.SerializeToString(deterministic=True)
