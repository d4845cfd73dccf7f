"""Write the small packages and graphs that weir's own tests load: run from the repository root, see README.md."""

import base64
import tempfile
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import TensorProto, helper, numpy_helper

from conftest import COLUMNS, FAMILIES, synthetic_table, with_sequence
from weir_training.cli import main
from weir_training.dataset import read_prepared
from weir_training.families import NAMES
from weir_training.files import to_json
from weir_training.recipe import read_recipe
from write_looked import write_looked

FIXTURES = Path("test/fixtures/models")
PARITY_ROWS = 1000


SMALL = "families: { lightgbm: { trees: 100, leaves: 7 } }"
FUSED = "families: { lightgbm: { trees: 30, leaves: 7 }, logistic: { strength: 0.01 } }"


def write_package(name: str, family: str, recipe: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_packages(Path(folder), synthetic_table(), recipe, {family: FIXTURES / name / "1.0.0"})


def write_families() -> None:
    """One package a family, and rows with the scores that the libraries themselves gave them."""
    out = FIXTURES / "families"
    with tempfile.TemporaryDirectory() as folder:
        targets = {name: out / name / "1.0.0" for name in NAMES}
        run = write_packages(Path(folder), with_sequence(synthetic_table()), FAMILIES, targets)
        prepared = read_prepared(run)
        raw = {}
        for name in NAMES:
            scores = pd.read_parquet(run / "families" / name / "scores.parquet")
            raw[name] = in_base64(scores.loc[scores["period"] == "test", "raw"].to_numpy()[:PARITY_ROWS], "<f8")
    rows = {"rows": PARITY_ROWS, "features": in_base64(prepared.test.X[:PARITY_ROWS], "<f4"), "raw": raw}
    (out / "parity.json").write_text(to_json(rows))


def write_packages(folder: Path, table: pa.Table, recipe: str, targets: dict[str, Path]) -> Path:
    """Train the families of a recipe in `folder` and export some, or their fusion; returns the run folder."""
    pq.write_table(table, folder / "training.parquet")
    (folder / "recipe.yaml").write_text(recipe)
    names = read_recipe(folder / "recipe.yaml").families
    run, data = folder / "run", "Rows drawn at random for weir's own tests: the figures mean nothing."
    steps = [
        ["prepare", "--table", folder / "training.parquet", "--out", run],
        ["train", *names, "--run", run, "--recipe", folder / "recipe.yaml"],
        *([["fuse", *names, "--run", run]] if "fusion" in targets else []),
        *(["export", name, "--run", run, "--out", out, "--data", data] for name, out in targets.items()),
    ]
    for step in steps:
        if main([str(word) for word in step]) != 0:
            raise SystemExit(1)
    return run


def in_base64(values: np.ndarray, type_: str) -> str:
    return base64.b64encode(values.astype(type_).tobytes()).decode()


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
    write_package("small", "lightgbm", SMALL)
    write_package("fused", "fusion", FUSED)
    write_families()
    write_looked(FIXTURES / "looked/1.0.0")
    write_graphs()
