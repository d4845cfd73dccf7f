"""Writes model packages: the folder that weir admits and serves. Format: docs/models.md."""

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from weir_training.calibrate import Knots, risk_scores
from weir_training.card import write_card
from weir_training.errors import TrainingError
from weir_training.split import Period, Split
from weir_training.table import Table

GOLDEN_ROWS = 200
PART = "lightgbm"
"""Name of the one model in the package."""
PARITY_TOLERANCE = 2e-6
"""Largest difference of raw scores between the library and ONNX that leaves this machine."""


@dataclass(frozen=True)
class Trained:
    """A trained model with all that its package says about it.

    Attributes
    ----------
    family : str
        What kind of model, in words that people search for.
    onnx : bytes
        One float32 input [rows, columns]; the score is the last column of the last output.
    raw : ndarray of float64
        Raw score of every row of the table, from the library that trained it.
    importance : dict of str to float
        Share of the model's gain by column, highest first.
    """

    family: str
    settings: dict[str, float]
    onnx: bytes
    raw: np.ndarray
    importance: dict[str, float]
    calibration: Knots
    score_map: Knots
    metrics: dict[str, float]
    recall_by_type: dict[str, tuple[int, float]]


def parse_target(out: Path) -> tuple[str, str]:
    """Name and version from the last two parts of the package's path.

    Raises
    ------
    TrainingError
        When they are no name and version, or a package lies there already: versions do not change.
    """
    name, version = out.resolve().parts[-2:]
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name) or not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise TrainingError(f"{out} should end in <name>/<major.minor.patch>, as in models/champion/1.0.0.")
    if (out / "model.json").exists():
        raise TrainingError(f"{out} holds a package already. Take the next version, or remove that folder.")
    return name, version


def golden_rows(table: Table, test: Period, seed: int = 7) -> np.ndarray:
    """Rows to check a served model with: frauds, others, and both with cells missing at random."""
    rng = np.random.default_rng(seed)
    frauds = test.rows.start + np.flatnonzero(test.label)
    others = test.rows.start + np.flatnonzero(~test.label)
    half = GOLDEN_ROWS // 2
    picked = np.concatenate(
        [
            rng.choice(frauds, half, replace=len(frauds) < half),
            rng.choice(others, half, replace=len(others) < half),
        ]
    )
    features = table.features[picked]
    holes = rng.random(features.shape) < np.where(np.arange(GOLDEN_ROWS) % 4 == 0, 0.3, 0.0)[:, None]
    features[holes] = np.nan
    features[0] = np.nan
    return features


def onnx_scores(model: bytes, X: np.ndarray) -> np.ndarray:
    """Raw scores by the ONNX runtime, as serving computes them: CPU, one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    output = session.get_outputs()[-1]
    (values,) = session.run([output.name], {session.get_inputs()[0].name: X})
    return values[:, -1].astype(np.float64)


def require_parity(expected: np.ndarray, model: bytes, X: np.ndarray) -> float:
    """Largest difference between the library's raw scores and the export's.

    Ranking metrics do not notice a wrong export: only comparing values does.

    Raises
    ------
    TrainingError
        When it is above `PARITY_TOLERANCE`, or not a number.
    """
    difference = float(np.max(np.abs(expected - onnx_scores(model, X))))
    if not difference <= PARITY_TOLERANCE:
        raise TrainingError(
            f"The ONNX export scores up to {difference:.2g} off from the model (at most {PARITY_TOLERANCE:.0e} "
            "is allowed). Nothing was written."
        )
    return difference


def write_package(
    out: Path, table: Table, split: Split, trained: Trained, golden: tuple[np.ndarray, np.ndarray], data: str
) -> None:
    """Write every file, then the manifest with their hashes.

    Parameters
    ----------
    golden : tuple of ndarray
        Features, and the raw scores the library gives them.
    data : str
        Where the rows come from, for people.
    """
    name, version = parse_target(out)
    graph = onnx.load_from_string(trained.onnx).graph
    files = {
        f"{PART}.onnx": trained.onnx,
        "golden.json": _json(_golden(trained, *golden)),
        "baseline.json": _json(_baseline(table, split, trained)),
    }
    manifest = {
        "format": 2,
        "name": name,
        "version": version,
        "family": trained.family,
        "feature_hash": table.feature_hash,
        "columns": table.columns,
        "parts": [
            {
                "name": PART,
                "title": trained.family,
                "kind": "classifier",
                "columns": table.columns,
                "input": _signature(graph.input[0]),
                "output": (output := _signature(graph.output[-1])) | {"column": output["shape"][1] - 1},
                "rows_at_once": None,
                "calibration": _knots(trained.calibration),
            }
        ],
        "fusion": None,
        "score_map": _knots(trained.score_map),
        "data": data,
        "periods": {key: _period(getattr(split, key)) for key in ("train", "validation", "test")},
        "metrics": trained.metrics,
    }
    files["MODEL_CARD.md"] = write_card(manifest, trained.settings, trained.importance, trained.recall_by_type)
    manifest["files"] = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
    out.mkdir(parents=True, exist_ok=True)
    for file, content in (files | {"model.json": _json(manifest)}).items():
        (out / file).write_bytes(content)


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _signature(value: onnx.ValueInfoProto) -> dict:
    tensor = value.type.tensor_type
    if tensor.elem_type != onnx.TensorProto.FLOAT:
        raise TrainingError(f"{value.name} is not a float32 tensor: weir serves float32 models.")
    sizes = [size.dim_value if size.HasField("dim_value") else None for size in tensor.shape.dim]
    return {"name": value.name, "type": "float32", "shape": [None, *sizes[1:]]}


def _knots(knots: Knots) -> dict:
    return {"x": knots.x.tolist(), "y": knots.y.tolist()}


def _period(period: Period) -> dict:
    def instant(moment: int) -> str:
        return datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    frauds = int(period.label.sum())
    return {
        "from": instant(period.start),
        "to": instant(period.end),
        "rows": len(period.label),
        "frauds": frauds,
    }


def _golden(trained: Trained, features: np.ndarray, raw: np.ndarray) -> dict:
    probability = trained.calibration(raw)
    return {
        "rows": len(features),
        "features": base64.b64encode(features.astype("<f4").tobytes()).decode(),
        "raw": {PART: raw.tolist()},
        "probability": probability.tolist(),
        "risk_score": risk_scores(trained.score_map, probability).tolist(),
    }


def _baseline(table: Table, split: Split, trained: Trained) -> dict:
    """Histograms that serving is compared with: features as trained on, risk scores on rows not trained on."""
    features = {}
    for i, column in enumerate(table.columns):
        values = table.features[split.train.rows, i].astype(np.float64)
        present = values[np.isfinite(values)]
        edges = np.unique(np.quantile(present, np.arange(1, 10) / 10)) if len(present) else np.array([])
        features[column] = _histogram(present, edges) | {"missing": len(values) - len(present)}
    scores = risk_scores(trained.score_map, trained.calibration(trained.raw[split.test.rows]))
    return {"features": features, "risk_score": _histogram(scores, np.arange(50, 1000, 50))}


def _histogram(values: np.ndarray, edges: np.ndarray) -> dict:
    """Count values in (edges[i-1], edges[i]]."""
    bins = np.searchsorted(edges, values, side="left")
    return {"edges": edges.tolist(), "counts": np.bincount(bins, minlength=len(edges) + 1).tolist()}
