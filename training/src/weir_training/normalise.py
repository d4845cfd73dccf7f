"""Cleaning and scaling that a model needs, learned on training rows and carried inside its ONNX graph."""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LIMIT = 8.0
"""Scaled values are held within ±this many standard deviations."""


@dataclass(frozen=True)
class Filler:
    """Missing values to the median, and for a column that was sometimes missing a second one, 1 where it was.

    What comes out is what came in, to the bit, so that a tree's cut parts the same rows wherever it is computed.

    Attributes
    ----------
    median : ndarray of float32, shape (columns,)
    holes : ndarray of int64
        Columns that were missing somewhere in the training rows.
    """

    median: np.ndarray
    holes: np.ndarray

    @classmethod
    def fit(cls, X: np.ndarray) -> "Filler":
        """Learn from rows, float32 with NaN for missing. A column without a value becomes 0."""
        present = np.isfinite(X)
        empty = ~present.any(axis=0)
        with np.errstate(all="ignore"):
            median = np.nan_to_num(np.nanmedian(np.where(present, X, np.where(empty, 0, np.nan)), axis=0))
        return cls(median.astype(np.float32), np.flatnonzero((~present).any(axis=0) & ~empty).astype(np.int64))

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
        filled = np.where(missing, self.median, X).astype(np.float32)
        return np.hstack([self._scaled(filled), missing[:, self.holes].astype(np.float32)])

    def _scaled(self, filled: np.ndarray) -> np.ndarray:
        return filled

    def nodes(self, source: str, target: str, prefix: str = "normalise_") -> tuple[list, list]:
        """Give the same as nodes and initialisers of a graph, from tensor `source` to tensor `target`."""
        names = ("missing", "median", "filled", "mask", "holes", "seen")
        missing, median, filled, mask, holes, seen = (f"{prefix}{name}" for name in names)
        node = helper.make_node
        scaled, nodes, constants = self._scaling(filled, prefix)
        nodes = [
            node("IsNaN", [source], [missing]),
            node("Where", [missing, median, source], [filled]),
            *nodes,
            node("Cast", [missing], [mask], to=TensorProto.FLOAT),
            node("Gather", [mask, holes], [seen], axis=1),
            node("Concat", [scaled, seen], [target], axis=1),
        ]
        own = [numpy_helper.from_array(self.median, median), numpy_helper.from_array(self.holes, holes)]
        return nodes, [own[0], *constants, own[1]]

    def _scaling(self, filled: str, prefix: str) -> tuple[str, list, list]:
        """Tensor that comes out of `_scaled`, and the nodes and constants that make it."""
        return filled, [], []


@dataclass(frozen=True)
class Normaliser(Filler):
    """After filling, signed logarithm, standard scale, and limits.

    Amounts and counts have long tails: ``sign(x) * log(1 + |x|)`` brings them together and is 0 at 0. All
    arithmetic is in float32, as in the graph; but the logarithms of two libraries differ in the last bit, so no
    tree may cut here.

    Attributes
    ----------
    mean, scale : ndarray of float32, shape (columns,)
        Of the logarithms.
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, X: np.ndarray) -> "Normaliser":
        """Learn from rows, float32 with NaN for missing. A column without a value, or with one only, becomes 0."""
        filler = Filler.fit(X)
        values = _signed_log(np.where(np.isfinite(X), X, filler.median).astype(np.float32))
        scale = values.std(axis=0, dtype=np.float64)
        return cls(
            median=filler.median,
            holes=filler.holes,
            mean=values.mean(axis=0, dtype=np.float64).astype(np.float32),
            scale=np.where(scale > 1e-6, scale, 1.0).astype(np.float32),
        )

    @property
    def filler(self) -> Filler:
        """What it does before it scales."""
        return Filler(self.median, self.holes)

    def unscaled(self, values: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Say what the filler gives where this gives `values` in `columns`; float64.

        Examples
        --------
        >>> usual = Normaliser.fit(np.arange(100, dtype=np.float32)[:, None])
        >>> usual.unscaled(usual(np.array([[5.0], [42.0]], dtype=np.float32))[:, 0], np.array([0, 0])).round(3)
        array([ 5., 42.])
        """
        scaled = columns < len(self.median)
        places = np.where(scaled, columns, 0)
        logs = self.mean[places] + values * self.scale[places].astype(np.float64)
        return np.where(scaled, np.sign(logs) * np.expm1(np.abs(logs)), values)

    def _scaled(self, filled: np.ndarray) -> np.ndarray:
        return np.clip((_signed_log(filled) - self.mean) / self.scale, -LIMIT, LIMIT)

    def _scaling(self, filled: str, prefix: str) -> tuple[str, list, list]:
        constants = {
            "mean": self.mean,
            "scale": self.scale,
            "one": np.float32(1),
            "low": np.float32(-LIMIT),
            "high": np.float32(LIMIT),
        }
        steps = [
            ("Sign", [filled], "sign"),
            ("Abs", [filled], "size"),
            ("Add", ["size", "one"], "more"),
            ("Log", ["more"], "log"),
            ("Mul", ["sign", "log"], "signed"),
            ("Sub", ["signed", "mean"], "shifted"),
            ("Div", ["shifted", "scale"], "scaled"),
            ("Clip", ["scaled", "low", "high"], "held"),
        ]

        def named(name: str) -> str:
            return name if name == filled else f"{prefix}{name}"

        nodes = [
            helper.make_node(operator, [named(name) for name in sources], [named(made)])
            for operator, sources, made in steps
        ]
        tensors = [numpy_helper.from_array(np.asarray(value), named(name)) for name, value in constants.items()]
        return named("held"), nodes, tensors


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
