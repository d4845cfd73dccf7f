"""Metrics of a calibrated score on rows that the model has not seen."""

import numpy as np
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

ALERT_RATES = (0.001, 0.005, 0.01)
"""Shares of transactions that a team may look at."""


def evaluate(label: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """Ranking, calibration and what an alert budget buys.

    Returns
    -------
    dict
        `fraud_rate`; `average_precision`; `auc_roc`; `brier` (lower is better; compare with
        fraud_rate * (1 - fraud_rate)); `ece`; per alert rate `precision_at_*` and `recall_at_*`.
    """
    metrics = {
        "fraud_rate": float(label.mean()),
        "average_precision": float(average_precision_score(label, probability)),
        "auc_roc": float(roc_auc_score(label, probability)),
        "brier": float(brier_score_loss(label, probability)),
        "ece": expected_calibration_error(label, probability),
    }
    by_score = label[np.argsort(-probability, kind="stable")]
    for rate in ALERT_RATES:
        alerts = max(1, round(rate * len(label)))
        caught = int(by_score[:alerts].sum())
        metrics[f"precision_at_{rate:.1%}"] = caught / alerts
        metrics[f"recall_at_{rate:.1%}"] = caught / int(label.sum())
    return {name: round(value, 6) for name, value in metrics.items()}


def expected_calibration_error(label: np.ndarray, probability: np.ndarray, bins: int = 10) -> float:
    """Mean distance of predicted and observed fraud rate over bins of equally many rows.

    References
    ----------
    M. Naeini, G. Cooper, M. Hauskrecht: Obtaining well calibrated probabilities using Bayesian binning. AAAI 2015.

    Examples
    --------
    >>> expected_calibration_error(np.array([False, True]), np.array([0.25, 0.75]), bins=2)
    0.25
    """
    order = np.argsort(probability, kind="stable")
    parts = zip(np.array_split(label[order], bins), np.array_split(probability[order], bins), strict=True)
    gaps = [abs(y.mean() - p.mean()) * len(y) for y, p in parts if len(y)]
    return float(sum(gaps) / len(label))


def recall_by_type(
    label: np.ndarray, probability: np.ndarray, fraud_type: np.ndarray, rate: float
) -> dict[str, tuple[int, float]]:
    """Frauds of each type and the share of them among the `rate` highest scores."""
    alerts = np.zeros(len(label), dtype=bool)
    alerts[np.argsort(-probability, kind="stable")[: max(1, round(rate * len(label)))]] = True
    kinds = np.array([kind or "unknown" for kind in fraud_type], dtype=object)
    return {
        kind: (int((of := label & (kinds == kind)).sum()), float(alerts[of].mean()))
        for kind in sorted(set(kinds[label]))
    }
