"""``weir-training train``: fit families of models, export them, and compare each export with its model."""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from weir_training.calibrate import Knots, fit_calibration
from weir_training.dataset import Prepared, Rows, read_prepared
from weir_training.evaluate import evaluate
from weir_training.families import NAMES, family
from weir_training.families.base import Family, Fitted, Settings
from weir_training.files import to_json, whole_folder
from weir_training.package import require_parity, with_holes
from weir_training.prequential import Fold, days_of, folds_of, validate
from weir_training.recipe import read_recipe, settings_of
from weir_training.steps.options import add_folds, plan_of
from weir_training.steps.show import console, show_table

FOLDS = 5
"""Parts of the customers for out-of-fold scores."""
SHOWN = ("average_precision", "auc_roc", "recall_at_1.0%", "precision_at_1.0%", "brier", "ece")


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = commands.add_parser("train", help="train families of models on a run folder")
    parser.add_argument(
        "family", nargs="+", choices=[*NAMES, "all"], metavar="FAMILY", help=", ".join([*NAMES, "all"])
    )
    parser.add_argument("--run", type=Path, required=True, dest="folder", help="run folder of `prepare`")
    parser.add_argument("--recipe", type=Path, help="YAML file of settings")
    add_folds(parser, "validate in time first, on so many folds of the training rows (default: as in the recipe)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> dict:
    """Train and return the metrics on test by family."""
    prepared = read_prepared(options.folder)
    recipe = read_recipe(options.recipe)
    names = all_of(prepared) if "all" in options.family else list(dict.fromkeys(options.family))
    settings = {name: settings_of(name, recipe.families.get(name, {})) for name in names}
    for name in names:
        family(name).columns_of(settings[name], prepared.columns)
    plan = plan_of(options, recipe)
    folds = None if plan is None else folds_of(prepared, plan)
    metrics = {}
    for name in names:
        with console.status(f"training {name}"):
            metrics[name] = train_family(
                prepared, family(name), settings[name], options.folder / "families" / name, folds
            )
        console.print(f"{name}: {metrics[name]['seconds']:.1f} s")
        for days, precision in metrics[name]["prequential"].items():
            console.print(f"  {days}: average precision {precision:.4f}")
    _show(metrics)
    return {"families": metrics}


def all_of(prepared: Prepared) -> list[str]:
    """Names of the families that the table has columns for; says which it leaves out."""
    if any(name.startswith("seq_") for name in prepared.columns):
        return NAMES
    left_out = [name for name in NAMES if family(name).needs_sequence]
    console.print(f"left out, for want of sequences in the table: {', '.join(left_out)}", markup=False)
    return [name for name in NAMES if name not in left_out]


def train_family(
    prepared: Prepared, kind: Family, settings: Settings, out: Path, folds: list[Fold] | None = None
) -> dict:
    """Fit, export, compare, calibrate and write one family.

    Writes model.onnx, trees.txt of LightGBM's trees, part.json and scores.parquet: raw scores and calibrated
    probabilities of the validation rows (out of fold, where there are none) and of the test rows. Later steps need
    nothing else: no model is pickled.

    Parameters
    ----------
    folds : list of Fold, optional
        To validate in time first; part.json keeps what comes out.

    Returns
    -------
    dict
        Metrics on test, and the seconds that training took.
    """
    columns = kind.columns_of(settings, prepared.columns)
    places = [prepared.columns.index(column) for column in columns]
    validated = _validate(prepared, kind, settings, folds or [])
    train, test = prepared.train.narrow(places), prepared.test.narrow(places)
    validation = None if prepared.validation is None else prepared.validation.narrow(places)
    began = time.perf_counter()
    fitted = kind.train(train, validation, settings)
    seconds = time.perf_counter() - began
    graph = fitted.to_onnx()
    raw = fitted.raw(test.X)
    parity = require_parity(raw, graph, test.X, fitted.shape)
    holes = with_holes(test.X[:1000])
    parity = max(parity, require_parity(fitted.raw(holes), graph, holes, fitted.shape))
    if validation is None:
        known, known_raw = train, out_of_fold(kind, train, settings)
    else:
        known, known_raw = validation, fitted.raw(validation.X)
    calibration = fit_calibration(known_raw, known.label)
    scores = pd.concat(
        [_scores("validation", known, known_raw, calibration), _scores("test", test, raw, calibration)]
    )
    part = {
        "name": kind.name,
        "title": kind.title,
        "kind": kind.kind,
        "columns": columns,
        "shape": list(fitted.shape),
        "rows_at_once": getattr(settings, "rows_at_once", kind.rows_at_once),
        "settings": settings.model_dump(),
        "importance": _importance(fitted, columns),
        "history": fitted.history,
        "prequential": validated,
        "parity": parity,
        "calibration": calibration.as_dict(),
    }
    with whole_folder(out, replace=True) as folder:
        (folder / "model.onnx").write_bytes(graph)
        if (trees := fitted.trees()) is not None:
            (folder / "trees.txt").write_text(trees)
        (folder / "part.json").write_text(to_json(part))
        scores.to_parquet(folder / "scores.parquet", index=False)
    return evaluate(test, calibration(raw)) | {"seconds": round(seconds, 1), "prequential": validated}


def _validate(prepared: Prepared, kind: Family, settings: Settings, folds: list[Fold]) -> dict[str, float]:
    """Average precision by the days of each fold."""
    precisions = (precision for _, precision in validate(kind, settings, folds, prepared.columns))
    return {days_of(fold): round(precision, 6) for fold, precision in zip(folds, precisions, strict=True)}


def out_of_fold(kind: Family, rows: Rows, settings: Settings) -> np.ndarray:
    """Raw scores of every row by a model that has not seen its customer."""
    rng = np.random.default_rng(settings.seed)
    customers, of = np.unique(rows.frame["customer_id"].to_numpy(dtype=str), return_inverse=True)
    fold = rng.permutation(len(customers)) % FOLDS
    raw = np.empty(len(rows.label))
    for number in range(FOLDS):
        held = fold[of] == number
        raw[held] = kind.train(rows.take(~held), None, settings).raw(rows.X[held])
    return raw


def _scores(period: str, rows: Rows, raw: np.ndarray, calibration: Knots) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "period": period,
            "transaction_id": rows.frame["transaction_id"],
            "label": rows.label,
            "raw": raw,
            "probability": calibration(raw),
        }
    )


def _importance(fitted: Fitted, columns: list[str]) -> dict[str, float]:
    """Highest first; empty where the family has none."""
    share = fitted.importance()
    if share is None:
        return {}
    return {columns[i]: float(share[i]) for i in np.argsort(-share, kind="stable")}


def _show(metrics: dict[str, dict]) -> None:
    headings = ("family", *(name.replace("_", " ") for name in SHOWN))
    show_table(headings, ((name, *(f"{values[key]:.4f}" for key in SHOWN)) for name, values in metrics.items()))
