"""What lookups add to LightGBM: trained with and without their columns, compared on the same test payments.

    training/.venv/bin/python training/studies/lookups.py runs/seed-11 runs/seed-12 ...

Each run folder is one of `weir-training prepare` on an export with lookups. Frauds are few in one run, so
differences are the mean over runs, with the interval of a bootstrap that draws customers, the same for both.
"""

import json
import sys
from pathlib import Path

import numpy as np

from weir_training.dataset import Prepared, read_prepared
from weir_training.families.lightgbm import LightGbm, LightGbmSettings
from weir_training.steps.show import show_table

DRAWS = 500

GROUPS = {
    "vectors of merchants and categories": lambda c: c.get("table") in ("merchant_vectors", "category_vectors"),
    "vectors of terminals": lambda c: c.get("table") == "terminal_vectors",
    "vectors of descriptions": lambda c: c.get("table") == "word_vectors",
    "vectors against the latest payments": lambda c: c.get("cosine_to_recent", "").endswith("_vectors"),
    "collaborative: affinity": lambda c: "dot" in c,
    "content: profile against the latest payments": lambda c: c.get("cosine_to_recent") == "merchant_profiles",
    "all": lambda c: True,
}


def columns_of(prepared: Prepared) -> dict[str, list[str]]:
    """Columns of the model without lookups, and with each group of them."""
    looked = json.loads(prepared.lookups)["columns"]
    plain = prepared.columns[: len(prepared.columns) - len(looked)]
    groups = {name: [c["name"] for c in looked if belongs(c)] for name, belongs in GROUPS.items()}
    return {"none": plain} | {name: plain + columns for name, columns in groups.items()}


def scores_of(prepared: Prepared, columns: list[str]) -> np.ndarray:
    """Scores of the test payments by a model that reads some columns."""
    places = [prepared.columns.index(name) for name in columns]
    train = prepared.train
    narrow = type(train)(np.ascontiguousarray(train.X[:, places]), train.label, train.frame)
    return LightGbm().train(narrow, None, LightGbmSettings()).raw(prepared.test.X[:, places])


def draws_of(prepared: Prepared, seed: int) -> np.ndarray:
    """How often each test payment counts: all once, then by customers drawn with replacement; (draws, rows)."""
    rng = np.random.default_rng(seed)
    customers, of = np.unique(prepared.test.frame["customer_id"].to_numpy(dtype=str), return_inverse=True)
    times = rng.multinomial(len(customers), np.full(len(customers), 1 / len(customers)), DRAWS)
    return np.vstack([np.ones(len(customers), dtype=int), times])[:, of]


def average_precision(label: np.ndarray, scores: np.ndarray, times: np.ndarray) -> float:
    """Average precision of payments that count so many times."""
    order = np.argsort(-scores, kind="stable")
    counted, frauds = times[order], (times * label)[order]
    return float((frauds * np.cumsum(frauds) / np.maximum(np.cumsum(counted), 1)).sum() / frauds.sum())


def main(runs: list[str]) -> None:
    """Train, compare and show."""
    precision: dict[str, list[np.ndarray]] = {}
    width = {}
    for number, run in enumerate(runs):
        prepared = read_prepared(Path(run))
        label, draws = prepared.test.label, draws_of(prepared, number)
        for name, columns in columns_of(prepared).items():
            scores = scores_of(prepared, columns)
            found = np.array([average_precision(label, scores, times) for times in draws])
            precision.setdefault(name, []).append(found)
            width[name] = len(columns)
    mean = {name: np.mean(found, axis=0) for name, found in precision.items()}
    shown = []
    for name, found in mean.items():
        difference = found - mean["none"]
        low, high = np.quantile(difference[1:], [0.025, 0.975])
        interval = "" if name == "none" else f"{difference[0]:+.4f} ({low:+.4f} to {high:+.4f})"
        shown.append((name, str(width[name]), f"{found[0]:.4f}", interval))
    show_table(("lookups", "columns", "average precision", "difference, 95 % interval"), shown)


if __name__ == "__main__":
    main(sys.argv[1:])
