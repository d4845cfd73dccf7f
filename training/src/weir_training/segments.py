"""Where a model does well and where it does not: by segment of payments and by kind of fraud."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from weir_training.bootstrap import Resampling, drawn, interval
from weir_training.dataset import Prepared
from weir_training.evaluate import Scored, ranking

AMOUNTS = [0.0, 10.0, 50.0, 200.0, 1000.0, np.inf]
"""Edges of amount bands, major units of the reference currency."""
MOST_GROUPS = 8
"""Groups of a segment that are told apart; the rest are others."""
FEW_PAYMENTS = 20
OTHERS = "others"


def segments_of(prepared: Prepared) -> dict[str, pd.Series]:
    """Name the group of each test row, by segment; a segment that the table lacks, or with one group, is left out.

    `customer` says how often the customer paid in the training rows: a model knows nothing of a new one.

    Returns
    -------
    dict of str to Series
        Categorical; the categories in the order for people.
    """
    frame = prepared.test.frame
    payments = frame["customer_id"].map(prepared.train.frame["customer_id"].value_counts()).fillna(0)
    habits = ["new", f"up to {FEW_PAYMENTS} payments", f"more than {FEW_PAYMENTS} payments"]
    segments = {"customer": pd.cut(payments, [-1, 0, FEW_PAYMENTS, np.inf], labels=habits)}
    if "amount" in frame:
        names = [f"{low:,.0f} to {high:,.0f}" for low, high in pairwise(AMOUNTS[:-1])]
        bands = [*names, f"{AMOUNTS[-2]:,.0f} and more"]
        segments["amount"] = pd.cut(frame["amount"], AMOUNTS, right=False, labels=bands)
    for name in ("channel", "country"):
        if name in frame:
            common = frame[name].value_counts().index[:MOST_GROUPS]
            segments[name] = pd.Categorical(frame[name].where(frame[name].isin(common), OTHERS), [*common, OTHERS])
    told = {name: pd.Series(groups).cat.remove_unused_categories() for name, groups in segments.items()}
    return {name: groups for name, groups in told.items() if len(groups.cat.categories) > 1}


def by_segment(scored: Scored, alert: np.ndarray, groups: pd.Series, resampling: Resampling) -> list[dict]:
    """Measure each group of a segment, with the alerts of the whole.

    Returns
    -------
    list of dict
        `group`, `rows`, `frauds`, `fraud_rate`, `expected_rate` (mean probability), `alert_rate`,
        `average_precision` (within the group; None without frauds), and with intervals `precision` and `recall`.
    """
    of = groups.to_numpy(dtype=object)[scored.order]
    names = list(groups.cat.categories)
    shares = _shares(scored, alert, {name: of == name for name in names}, resampling)
    found = []
    for name in names:
        part = scored.take(np.flatnonzero(of == name))
        frauds = int(part.label.sum())
        found.append(
            {
                "group": name,
                "rows": len(part.label),
                "frauds": frauds,
                "fraud_rate": round(float(part.label.mean()), 6),
                "expected_rate": round(float(part.probability.mean()), 6),
                "alert_rate": round(float(alert[of == name].mean()), 6),
                "average_precision": _average_precision(part) if frauds else None,
                **shares[name],
            }
        )
    return found


def by_scenario(scored: Scored, alert: np.ndarray, kinds: pd.Series, resampling: Resampling) -> list[dict]:
    """Measure each kind of fraud, most frequent first: `scenario`, `frauds`, and with an interval `recall`."""
    of = kinds.fillna("unknown").to_numpy(dtype=str)[scored.order]
    names, counts = np.unique(of[scored.label], return_counts=True)
    shares = _shares(scored, alert, {str(name): of == name for name in names}, resampling)
    by_count = sorted(zip(names, counts, strict=True), key=lambda pair: (-pair[1], pair[0]))
    return [
        {"scenario": str(name), "frauds": int(frauds), "recall": shares[str(name)]["recall"]}
        for name, frauds in by_count
    ]


def calibration_bins(scored: Scored, resampling: Resampling, bins: int = 10) -> list[dict]:
    """Compare probabilities with what happened, in bins of about equally many frauds, highest first.

    Returns
    -------
    list of dict
        `rows`, `expected` (mean probability), and with an interval `observed` (share of frauds).
    """
    rows = len(scored.label)
    ends = np.unique(np.append(scored.frauds[:: max(1, len(scored.frauds) // bins)][1:], rows))
    number = np.searchsorted(ends, np.arange(rows), "right")
    everything = np.ones(rows, dtype=bool)
    shares = _shares(scored, everything, {i: number == i for i in range(len(ends))}, resampling)
    return [
        {
            "rows": int((number == i).sum()),
            "expected": round(float(scored.probability[number == i].mean()), 8),
            "observed": shares[i]["precision"],
        }
        for i in range(len(ends))
    ]


def _average_precision(scored: Scored) -> float:
    return round(float(ranking(scored, scored.once())["average_precision"][0]), 6)


def _shares(
    scored: Scored, alert: np.ndarray, groups: dict[Any, np.ndarray], resampling: Resampling
) -> dict[Any, dict[str, dict]]:
    """By group `precision` and `recall` of given alerts; None where nothing can be said."""
    kinds = (alert, scored.label, alert & scored.label)
    sums = [np.stack([scored.by_customer(kind & here) for here in groups.values()], axis=1) for kind in kinds]

    def measure(_: Scored, weights: np.ndarray) -> dict[tuple, np.ndarray]:
        alerts, frauds, hits = ((weights @ of).T for of in sums)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = {"precision": hits / alerts, "recall": hits / frauds}
        return {(group, name): values[i] for name, values in shares.items() for i, group in enumerate(groups)}

    found = drawn(scored, measure, resampling)
    return {group: {name: interval(found[group, name]) for name in ("precision", "recall")} for group in groups}
