"""What is in a prepared table, and what is odd about it."""

from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from weir_training.dataset import Prepared
from weir_training.errors import TrainingError
from weir_training.files import to_json
from weir_training.histogram import counts, quantile_edges
from weir_training.report import render
from weir_training.split import DAY

MOVED = 0.25
"""Population stability index above which a column has moved (N. Siddiqi, Intelligent Credit Scoring, 2017)."""
LEAK = 0.99
"""AUC-ROC of a column alone from which on it is no feature but the answer."""
FEW_FRAUDS = 20
"""With fewer, a column may part them from the rest by chance."""


def quality_of(prepared: Prepared) -> dict:
    """Look at every column and day.

    Returns
    -------
    dict
        `columns`: by name `missing` (share), `least`, `median`, `most`, `distinct`, `psi` (train against test),
        `auc` (of the column alone on test, whichever way round);
        `days`: per day of training and test rows, rows and frauds; `warnings`: sentences.
    """
    train, test = prepared.train, prepared.test
    columns, warnings = {}, []
    for i, name in enumerate(prepared.columns):
        values = train.X[:, i]
        present = values[~np.isnan(values)]
        columns[name] = {
            "missing": round(float(np.isnan(values).mean()), 6),
            "least": float(present.min()) if len(present) else None,
            "median": float(np.median(present)) if len(present) else None,
            "most": float(present.max()) if len(present) else None,
            "distinct": len(np.unique(present)),
            "psi": round(stability(values, test.X[:, i]), 6),
            "auc": round(separation(test.X[:, i], test.label), 6),
        }
        if len(present) == 0:
            warnings.append(f"{name} is always missing in training.")
        elif columns[name]["distinct"] == 1:
            warnings.append(f"{name} has one value only in training.")
        if columns[name]["psi"] > MOVED:
            warnings.append(f"{name} has moved between training and test (PSI {columns[name]['psi']:.2f}).")
    days = []
    for period in ("train", "test"):
        rows = getattr(prepared, period)
        day = rows.frame["event_time"].to_numpy() // DAY
        for number in np.unique(day):
            here = day == number
            days.append(
                {
                    "period": period,
                    "day": str(np.datetime64(int(number), "D")),
                    "rows": int(here.sum()),
                    "frauds": int(rows.label[here].sum()),
                }
            )
    return {"columns": columns, "days": days, "warnings": warnings}


def stability(expected: np.ndarray, found: np.ndarray, bins: int = 10) -> float:
    """Compute the population stability index over quantile bins of `expected`; missing values have their own bin.

    Examples
    --------
    >>> stability(np.arange(100.0), np.arange(100.0))
    0.0
    """
    present = expected[~np.isnan(expected)]
    edges = quantile_edges(present, bins)

    def shares(values: np.ndarray) -> np.ndarray:
        missing = np.isnan(values)
        in_bins = np.append(counts(values[~missing], edges), missing.sum())
        return np.maximum(in_bins / max(1, len(values)), 1e-4)

    p, q = shares(expected), shares(found)
    return float(np.sum((q - p) * np.log(q / p)))


def separation(values: np.ndarray, label: np.ndarray) -> float:
    """Compute the AUC-ROC of a column alone, whichever way round; missing values are below all others.

    Examples
    --------
    >>> separation(np.array([1.0, 1.0, 0.0, np.nan]), np.array([False, False, True, True]))
    1.0
    """
    least = np.nanmin(values) if np.isfinite(values).any() else 0.0
    auc = float(roc_auc_score(label, np.where(np.isnan(values), least - 1, values)))
    return max(auc, 1 - auc)


def refuse_leaks(prepared: Prepared) -> None:
    """Refuse a column that alone tells fraud from the rest: it can only know what is learnt later.

    Raises
    ------
    TrainingError
        Names the columns.
    """
    test = prepared.test
    if test.label.sum() < FEW_FRAUDS:
        return
    leaks = [c for i, c in enumerate(prepared.columns) if separation(test.X[:, i], test.label) >= LEAK]
    if leaks:
        raise TrainingError(
            f"{', '.join(leaks)} alone tells fraud from all else (AUC {LEAK} or more). No feature does that when "
            "a payment is made: it knows what was learnt later. Take it out of the features and export again."
        )


def write_quality(quality: dict, folder: Path) -> None:
    """Write quality.json, and quality.html for people."""
    (folder / "quality.json").write_text(to_json(quality))
    most = max(day["frauds"] / day["rows"] for day in quality["days"])
    (folder / "quality.html").write_text(render("quality.html", **quality, most=max(most, 1e-9)))
