"""Writes model packages: the folder that weir admits and serves. Format: docs/models.md."""

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from weir_training.calibrate import Knots, risk_scores, score_map
from weir_training.card import write_card
from weir_training.dataset import LOOKUPS_FILE, Prepared
from weir_training.errors import TrainingError
from weir_training.evaluate import ALERT_RATES, evaluate, recall_by_type
from weir_training.files import to_json, whole_folder
from weir_training.fusion import Fusion
from weir_training.histogram import counts, quantile_edges
from weir_training.trees import TREES_FILE, trees_file

GOLDEN_ROWS = 200
PARITY_TOLERANCE = 1e-5
"""Largest difference of raw scores between the library and ONNX that leaves this machine."""


@dataclass(frozen=True)
class Part:
    """A trained family, as it lies in a run folder.

    Attributes
    ----------
    about : dict
        part.json.
    graph : bytes
        model.onnx.
    trees : str or None
        trees.txt, where the family has one.
    """

    about: dict
    graph: bytes
    trees: str | None = None

    @property
    def calibration(self) -> Knots:
        """From raw score to probability."""
        return Knots.of(self.about["calibration"])

    def raw(self, X: np.ndarray, columns: list[str]) -> np.ndarray:
        """Raw scores of rows that have `columns`."""
        return onnx_scores(self.graph, self.narrow(X, columns), tuple(self.about["shape"]))

    def narrow(self, X: np.ndarray, columns: list[str]) -> np.ndarray:
        """Take the columns that it reads, of rows that have `columns`."""
        return X[:, [columns.index(name) for name in self.about["columns"]]]


@dataclass(frozen=True)
class Model:
    """What a package serves.

    Attributes
    ----------
    fusion : Fusion or None
        None where there is one part.
    """

    parts: list[Part]
    fusion: Fusion | None = None

    @property
    def title(self) -> str:
        """What kind of model, for people."""
        titles = [part.about["title"] for part in self.parts]
        return titles[0] if self.fusion is None else "Fusion: " + "; ".join(titles)

    def raw(self, X: np.ndarray, columns: list[str]) -> dict[str, np.ndarray]:
        """Raw scores by part."""
        return {part.about["name"]: part.raw(X, columns) for part in self.parts}

    def probability(self, raw: dict[str, np.ndarray]) -> np.ndarray:
        """Calibrated and, of several parts, fused."""
        calibrated = [part.calibration(raw[part.about["name"]]) for part in self.parts]
        return calibrated[0] if self.fusion is None else self.fusion(np.column_stack(calibrated))


def read_part(run: Path, name: str) -> Part:
    """Read a trained family.

    Raises
    ------
    TrainingError
        When it has not been trained.
    """
    folder = run / "families" / name
    try:
        about, graph = json.loads((folder / "part.json").read_text()), (folder / "model.onnx").read_bytes()
        trees = folder / "trees.txt"
        return Part(about, graph, trees.read_text() if trees.exists() else None)
    except OSError as error:
        raise TrainingError(
            f"{run} has no trained {name}. Train it: weir-training train {name} --run {run}"
        ) from error


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


def golden_rows(prepared: Prepared, seed: int = 7) -> np.ndarray:
    """Rows to check a served model with: frauds, others, and both with cells missing at random."""
    rng = np.random.default_rng(seed)
    label = prepared.test.label
    half = GOLDEN_ROWS // 2
    kinds = (np.flatnonzero(label), np.flatnonzero(~label))
    picked = np.concatenate([rng.choice(kind, half, replace=len(kind) < half) for kind in kinds])
    return with_holes(prepared.test.X[picked], seed)


def with_holes(X: np.ndarray, seed: int = 7) -> np.ndarray:
    """Copy rows; in every fourth 30 % of the cells are missing, in the first all."""
    rng = np.random.default_rng(seed)
    share = np.where(np.arange(len(X)) % 4 == 0, 0.3, 0.0)[:, None]
    holes = np.where(rng.random(X.shape) < share, np.float32(np.nan), X)
    holes[0] = np.nan
    return holes


def onnx_scores(model: bytes, X: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Raw scores by the ONNX runtime, as serving computes them: CPU, one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    output, source = session.get_outputs()[-1].name, session.get_inputs()[0].name
    scores = []
    for part in np.array_split(X, max(1, -(-len(X) // 8192))):
        (values,) = session.run([output], {source: np.ascontiguousarray(part).reshape(-1, *shape)})
        scores.append(values[:, -1].astype(np.float64))
    return np.concatenate(scores)


def require_parity(expected: np.ndarray, model: bytes, X: np.ndarray, shape: tuple[int, ...]) -> float:
    """Largest difference between the library's raw scores and the export's.

    Ranking metrics do not notice a wrong export: only comparing values does.

    Raises
    ------
    TrainingError
        When it is above `PARITY_TOLERANCE`, or not a number.
    """
    difference = float(np.max(np.abs(expected - onnx_scores(model, X, shape))))
    if not difference <= PARITY_TOLERANCE:
        raise TrainingError(
            f"The ONNX export scores up to {difference:.2g} off from the model (at most {PARITY_TOLERANCE:.0e} "
            "is allowed). Nothing was written."
        )
    return difference


def write_package(out: Path, prepared: Prepared, model: Model, data: str) -> dict[str, float]:
    """Write every file and the manifest with their hashes, all at once.

    Parameters
    ----------
    data : str
        Where the rows come from, for people.

    Returns
    -------
    dict
        Metrics on test.
    """
    name, version = parse_target(out)
    test = prepared.test
    probability = model.probability(model.raw(test.X, prepared.columns))
    metrics = evaluate(test, probability)
    kinds = test.frame["fraud_type"].fillna("").to_numpy(dtype=object)  # pandas has NaN for none
    files = {f"{part.about['name']}.onnx": part.graph for part in model.parts} | {
        "golden.json": _json(_golden(prepared, model)),
        "baseline.json": _json(_baseline(prepared, probability)),
    }
    alone = model.parts[0] if model.fusion is None else None
    if alone is not None and alone.trees is not None:
        files[TREES_FILE] = trees_file(alone.trees, alone.narrow(golden_rows(prepared), prepared.columns))
    if prepared.lookups is not None:
        files[LOOKUPS_FILE] = prepared.lookups.encode()
    manifest = {
        "format": 2,
        "name": name,
        "version": version,
        "family": model.title,
        "feature_hash": prepared.feature_hash,
        "columns": prepared.columns,
        "parts": [_part(part) for part in model.parts],
        "fusion": None if model.fusion is None else model.fusion.as_dict(),
        "score_map": score_map().as_dict(),
        "data": data,
        "periods": {"validation": prepared.periods["train"]} | prepared.periods,
        "metrics": metrics,
    }
    by_type = recall_by_type(test.label, probability, kinds, ALERT_RATES[-1])
    parts = [part.about for part in model.parts]
    files["MODEL_CARD.md"] = write_card(manifest, parts, by_type, prepared.lookups)
    manifest["files"] = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
    with whole_folder(out) as folder:
        for file, content in (files | _manifest_files(manifest)).items():
            (folder / file).write_bytes(content)
    return metrics


def _manifest_files(manifest: dict) -> dict[str, bytes]:
    """Write the manifest and its SHA-256, as `sha256sum` does: damage to the manifest must show, too."""
    content = _json(manifest)
    line = f"{hashlib.sha256(content).hexdigest()}  model.json\n"
    return {"model.json": content, "model.json.sha256": line.encode()}


def _part(part: Part) -> dict:
    graph = onnx.load_from_string(part.graph).graph
    output = _signature(graph.output[-1])
    return {key: part.about[key] for key in ("name", "title", "kind", "columns")} | {
        "input": _signature(graph.input[0]),
        "output": output | {"column": output["shape"][1] - 1},
        "rows_at_once": part.about["rows_at_once"],
        "calibration": part.about["calibration"],
    }


def _json(value: object) -> bytes:
    return to_json(value).encode()


def _signature(value: onnx.ValueInfoProto) -> dict:
    tensor = value.type.tensor_type
    if tensor.elem_type != onnx.TensorProto.FLOAT:
        raise TrainingError(f"{value.name} is not a float32 tensor: weir serves float32 models.")
    sizes = [size.dim_value if size.HasField("dim_value") else None for size in tensor.shape.dim]
    return {"name": value.name, "type": "float32", "shape": [None, *sizes[1:]]}


def _golden(prepared: Prepared, model: Model) -> dict:
    features = golden_rows(prepared)
    raw = model.raw(features, prepared.columns)
    probability = model.probability(raw)
    return {
        "rows": len(features),
        "features": base64.b64encode(features.astype("<f4").tobytes()).decode(),
        "raw": {name: scores.tolist() for name, scores in raw.items()},
        "probability": probability.tolist(),
        "risk_score": risk_scores(score_map(), probability).tolist(),
    }


def _baseline(prepared: Prepared, probability: np.ndarray) -> dict:
    """Histograms that serving is compared with: features as trained on, risk scores on rows not trained on."""
    features = {}
    for i, column in enumerate(prepared.columns):
        values = prepared.train.X[:, i].astype(np.float64)
        present = values[np.isfinite(values)]
        features[column] = _histogram(present, quantile_edges(present)) | {"missing": len(values) - len(present)}
    return {
        "features": features,
        "risk_score": _histogram(risk_scores(score_map(), probability), np.arange(50, 1000, 50)),
    }


def _histogram(values: np.ndarray, edges: np.ndarray) -> dict:
    return {"edges": edges.tolist(), "counts": counts(values, edges).tolist()}
