"""Write the small packages and graphs that weir's own tests load: run from the repository root, see README.md."""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import pyarrow.parquet as pq
from onnx import TensorProto, helper, numpy_helper

from conftest import COLUMNS, synthetic_table
from weir_training.cli import main
from weir_training.recipe import read_recipe
from write_looked import write_looked

FIXTURES = Path("test/fixtures/models")


SMALL = "families: { lightgbm: { trees: 100, leaves: 7 } }"
FUSED = "families: { lightgbm: { trees: 30, leaves: 7 }, logistic: { strength: 0.01 } }"


def write_package(name: str, families: str) -> None:
    """Train the families of a recipe and export them: one alone, several fused."""
    with tempfile.TemporaryDirectory() as folder:
        table = str(Path(folder) / "training.parquet")
        pq.write_table(synthetic_table(), table)
        out = str(FIXTURES / name / "1.0.0")
        data = "Rows drawn at random for weir's own tests: the figures mean nothing."
        run, recipe = str(Path(folder) / "run"), Path(folder) / "recipe.yaml"
        recipe.write_text(families)
        names = list(read_recipe(recipe).families)
        fuse = [["fuse", *names, "--run", run]] if len(names) > 1 else []
        for step in (
            ["prepare", "--table", table, "--out", run],
            ["train", *names, "--run", run, "--recipe", str(recipe)],
            *fuse,
            ["export", "fusion" if fuse else names[0], "--run", run, "--out", out, "--data", data],
        ):
            if main(step) != 0:
                raise SystemExit(1)


def linear(*, external: bool = False, zipmap: bool = False) -> onnx.ModelProto:
    """Logistic regression: not a number where a feature is missing."""
    weights = numpy_helper.from_array(np.full((len(COLUMNS), 2), 0.01, dtype=np.float32), "weights")
    if external:
        weights.ClearField("raw_data")
        weights.data_location = TensorProto.EXTERNAL
        weights.external_data.add(key="location", value="weights.bin")
    rows = helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, len(COLUMNS)])
    scores = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2])
    nodes = [
        helper.make_node("MatMul", ["features", "weights"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["probabilities"]),
    ]
    if zipmap:
        nodes.append(
            helper.make_node("ZipMap", ["probabilities"], ["map"], domain="ai.onnx.ml", classlabels_int64s=[0, 1])
        )
        kinds = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
        scores = helper.make_value_info("map", helper.make_sequence_type_proto(kinds))
    return helper.make_model(
        helper.make_graph(nodes, "linear", [rows], [scores], [weights]),
        opset_imports=[helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 1)],
        ir_version=8,
    )


def write_graphs() -> None:
    folder = FIXTURES / "graphs"
    folder.mkdir(parents=True, exist_ok=True)
    for name, graph in {
        "linear": linear(),
        "external": linear(external=True),
        "zipmap": linear(zipmap=True),
    }.items():
        (folder / f"{name}.onnx").write_bytes(graph.SerializeToString(deterministic=True))


if __name__ == "__main__":
    write_package("small", SMALL)
    write_package("fused", FUSED)
    write_looked(FIXTURES / "looked/1.0.0")
    write_graphs()
