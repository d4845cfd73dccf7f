"""The scores of everything that was trained in a run folder, beside the rows they belong to."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from weir_training.dataset import Prepared, Rows
from weir_training.errors import TrainingError
from weir_training.families import NAMES
from weir_training.fusion import Fusion
from weir_training.package import Model, Part, read_part

FUSION = "fusion"
"""What stands for the fusion of a run wherever a family's name does."""


@dataclass(frozen=True)
class Probabilities:
    """Calibrated probabilities of one family, or of the fusion.

    Attributes
    ----------
    validation, test : ndarray of float64
        In the order of the prepared rows; validation is out of fold over the training rows where there is no
        validation period.
    """

    validation: np.ndarray
    test: np.ndarray


def trained(run: Path) -> list[str]:
    """Names of the families that were trained, and of the fusion if there is one.

    Raises
    ------
    TrainingError
        When there is nothing.
    """
    names = [name for name in NAMES if (run / "families" / name / "part.json").exists()]
    if not names:
        raise TrainingError(f"{run} has no trained family. Train some: weir-training train all --run {run}")
    return [*names, FUSION] if (run / FUSION / "fusion.json").exists() else names


def known_rows(prepared: Prepared) -> Rows:
    """Rows that calibration and fusion are fitted on."""
    return prepared.train if prepared.validation is None else prepared.validation


def read_probabilities(run: Path, name: str, prepared: Prepared) -> Probabilities:
    """Read a family's scores, or those of the fusion.

    Raises
    ------
    TrainingError
        When they are not there, belong to other rows, or are no numbers.
    """
    path = run / FUSION / "scores.parquet" if name == FUSION else run / "families" / name / "scores.parquet"
    command = f"weir-training {f'fuse all --run {run}' if name == FUSION else f'train {name} --run {run}'}"
    try:
        scores = pd.read_parquet(path)
    except OSError as error:
        raise TrainingError(f"{run} has no scores of {name}. Make them: {command}") from error
    found = []
    for period, rows in (("validation", known_rows(prepared)), ("test", prepared.test)):
        here = scores[scores["period"] == period]
        ids = here["transaction_id"].to_numpy(dtype=str)
        if not np.array_equal(ids, rows.frame["transaction_id"].to_numpy(dtype=str)):
            raise TrainingError(f"The scores of {name} in {run} are of other rows. Make them anew: {command}")
        probability = here["probability"].to_numpy()
        if not np.isfinite(probability).all():
            raise TrainingError(f"{name} in {run} scores rows with what is no number. Make it anew: {command}")
        found.append(probability)
    return Probabilities(*found)


def read_model(run: Path, name: str) -> Model:
    """Read what `export` writes: a family alone, or the parts of the fusion with it.

    Raises
    ------
    TrainingError
        When it is not there, or a part was trained anew since it was fused.
    """
    return Model([read_part(run, name)]) if name != FUSION else _read_fused(run)


def fingerprint(part: Part) -> str:
    """Name what a part says, to notice when it was trained anew."""
    return hashlib.sha256(part.graph + json.dumps(part.about["calibration"]).encode()).hexdigest()[:16]


def _read_fused(run: Path) -> Model:
    path = run / FUSION / "fusion.json"
    try:
        about = json.loads(path.read_text())
    except OSError as error:
        raise TrainingError(f"{run} has no fusion. Fuse: weir-training fuse all --run {run}") from error
    parts = [read_part(run, part["name"]) for part in about["parts"]]
    for part, said in zip(parts, about["parts"], strict=True):
        if fingerprint(part) != said["fingerprint"]:
            raise TrainingError(
                f"{said['name']} was trained anew since it was fused. "
                f"Fuse again: weir-training fuse all --run {run}"
            )
    return Model(parts, Fusion.of(about))
