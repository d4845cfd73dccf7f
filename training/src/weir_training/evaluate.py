"""Metrics of a calibrated score on rows that the model has not seen, for any number of resamples at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from weir_training.dataset import Rows
from weir_training.split import DAY

ALERT_RATES = (0.001, 0.005, 0.01)
"""Shares of transactions that a team may look at."""
CARDS_A_DAY = 100
"""Customers that a team may look at on a day, for card precision."""
REVIEW_COST = 3.0
"""What one look at an alert costs, in major units of the reference currency, unless the user says otherwise."""
ECE_BINS = 10


@dataclass(frozen=True)
class Scored:
    """Rows in descending order of their probability.

    Attributes
    ----------
    label : ndarray of bool
    probability : ndarray of float64
    customer : ndarray of int
        0 to the number of customers - 1.
    day : ndarray of int
        UTC days since 1970.
    amount : ndarray of float64, or None
        Major units of the reference currency; 0 where it is missing. None: the table has none.
    customers : int
        How many there are; some may have no row here.
    order : ndarray of int
        Which of the rows that were given stands here.
    """

    label: np.ndarray
    probability: np.ndarray
    customer: np.ndarray
    day: np.ndarray
    amount: np.ndarray | None
    customers: int
    order: np.ndarray

    @classmethod
    def of(cls, rows: Rows, probability: np.ndarray, names: np.ndarray | None = None) -> "Scored":
        """Take rows and their probabilities, in the order of the rows; equal ones keep it.

        Parameters
        ----------
        names : ndarray of str, optional
            All customers, sorted, where those of several sets of rows are to have the same numbers.
        """
        order = np.argsort(-probability, kind="stable")
        ids = rows.frame["customer_id"].to_numpy(dtype=str)
        names = np.unique(ids) if names is None else names
        customer = np.searchsorted(names, ids)
        amount = rows.frame["amount"].fillna(0).to_numpy(dtype=float)[order] if "amount" in rows.frame else None
        day = rows.frame["event_time"].to_numpy()[order] // DAY
        return cls(rows.label[order], probability[order], customer[order], day, amount, len(names), order)

    def take(self, rows: np.ndarray) -> "Scored":
        """Pick some rows, in their order; the customers keep their numbers."""
        amount = None if self.amount is None else self.amount[rows]
        picked = (self.label[rows], self.probability[rows], self.customer[rows], self.day[rows])
        return Scored(*picked, amount, self.customers, self.order[rows])

    @cached_property
    def frauds(self) -> np.ndarray:
        """Places of the frauds."""
        return np.flatnonzero(self.label)

    @cached_property
    def ties(self) -> tuple[np.ndarray, np.ndarray]:
        """Per fraud, how many rows have a higher probability, and how many the same or a higher one."""
        descending = -self.probability
        at = descending[self.frauds]
        return np.searchsorted(descending, at, "left"), np.searchsorted(descending, at, "right")

    def by_customer(self, values: np.ndarray) -> np.ndarray:
        """Sum of `values` over the rows of each customer."""
        return np.bincount(self.customer, values, self.customers)

    def once(self) -> np.ndarray:
        """Weights that count every customer once: the sample itself."""
        return np.ones((1, self.customers))


def alerted(probability: np.ndarray, rate: float) -> np.ndarray:
    """Mark the `rate` highest, at least one; of equal ones the first."""
    marks = np.zeros(len(probability), dtype=bool)
    marks[np.argsort(-probability, kind="stable")[: max(1, round(rate * len(probability)))]] = True
    return marks


def at_rate(metric: str, rate: float) -> str:
    """Name a metric at an alert rate.

    Examples
    --------
    >>> at_rate("recall", 0.01), at_rate("recall", 0.0025)
    ('recall_at_1.0%', 'recall_at_0.25%')
    """
    short = f"{rate:.1%}"
    return f"{metric}_at_{short if float(short[:-1]) == round(100 * rate, 9) else f'{100 * rate:.4g}%'}"


def ranking(
    scored: Scored,
    weights: np.ndarray,
    review_cost: float = REVIEW_COST,
    rates: Sequence[float] = ALERT_RATES,
) -> dict[str, np.ndarray]:
    """Measure how well the order of the rows is, and what an alert budget buys.

    Parameters
    ----------
    weights : ndarray, shape (resamples, customers)
        How often each customer counts.

    Returns
    -------
    dict of str to ndarray, shape (resamples,)
        `average_precision`; `auc_roc`; and for each alert rate `precision_at_*`; `recall_at_*`;
        `value_recall_at_*`: share of the amount of fraud; `account_false_positives_at_*`: customers with an alert
        and no fraud for each with both; `saved_at_*`: 1 - cost / cost without a model, where an alert costs a
        review and a missed fraud its amount. Those of amounts are left out where there are none.

    References
    ----------
    A. Correa Bahnsen et al.: Cost sensitive credit card fraud detection using Bayes minimum risk. ICMLA 2013.
    """
    w = weights[:, scored.customer]
    seen = np.pad(np.cumsum(w, axis=1), ((0, 0), (1, 0)))
    of_fraud = w[:, scored.frauds]
    caught = np.pad(np.cumsum(of_fraud, axis=1), ((0, 0), (1, 0)))
    above, through = scored.ties
    caught_above = caught[:, np.searchsorted(scored.frauds, above)]
    caught_through = caught[:, np.searchsorted(scored.frauds, through)]
    precision = caught_through / np.maximum(seen[:, through], 1e-9)
    frauds, rows = caught[:, -1], seen[:, -1]
    good_above, good_through = seen[:, above] - caught_above, seen[:, through] - caught_through
    good_below = (rows - frauds)[:, None] - (good_above + good_through) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        metrics = {
            "average_precision": (of_fraud * precision).sum(axis=1) / frauds,
            "auc_roc": (of_fraud * good_below).sum(axis=1) / (frauds * (rows - frauds)),
        }
        for rate in rates:
            metrics |= _at_rate(scored, weights, seen, caught, of_fraud, rate, review_cost)
    return metrics


def _at_rate(
    scored: Scored,
    weights: np.ndarray,
    seen: np.ndarray,
    caught: np.ndarray,
    of_fraud: np.ndarray,
    rate: float,
    review_cost: float,
) -> dict[str, np.ndarray]:
    budget = np.maximum(1, np.round(rate * seen[:, -1]))
    cut = np.array([np.searchsorted(s, b, "right") - 1 for s, b in zip(seen, budget, strict=True)])
    each = np.arange(len(weights))
    alerts = seen[each, cut]
    hits = np.searchsorted(scored.frauds, cut)
    metrics = {
        "precision": caught[each, hits] / alerts,
        "recall": caught[each, hits] / caught[:, -1],
    }
    first = np.full(scored.customers, len(scored.label))
    np.minimum.at(first, scored.customer, np.arange(len(scored.label)))
    flagged = weights * (first < cut[:, None])
    defrauded = scored.by_customer(scored.label) > 0
    metrics["account_false_positives"] = flagged[:, ~defrauded].sum(axis=1) / flagged[:, defrauded].sum(axis=1)
    if scored.amount is not None:
        lost = np.pad(np.cumsum(of_fraud * scored.amount[scored.frauds], axis=1), ((0, 0), (1, 0)))
        metrics["value_recall"] = lost[each, hits] / lost[:, -1]
        cost = lost[:, -1] - lost[each, hits] + review_cost * alerts
        metrics["saved"] = 1 - cost / lost[:, -1]
    return {at_rate(name, rate): values for name, values in metrics.items()}


def card_precision(scored: Scored, weights: np.ndarray, cards: int = CARDS_A_DAY) -> np.ndarray:
    """Compute the share of defrauded customers among a day's `cards` most suspicious, as a mean over days.

    A customer stands for a card, with the highest score of the day; one that was found is left out on later days.

    References
    ----------
    Y.-A. Le Borgne et al.: Reproducible machine learning for credit card fraud detection, practical handbook,
    chapter 4.
    """
    found = np.zeros(weights.shape, dtype=bool)
    days = np.unique(scored.day)
    total = np.zeros(len(weights))
    for day in days:
        here = np.flatnonzero(scored.day == day)
        customers, first = np.unique(scored.customer[here], return_index=True)
        customers = customers[np.argsort(first)]  # by their highest score: rows descend
        defrauded = np.isin(customers, scored.customer[here][scored.label[here]])
        looked = weights[:, customers] * ~found[:, customers]
        hit = (np.cumsum(looked, axis=1) <= cards) & defrauded
        total += (looked * hit).sum(axis=1) / cards
        found[:, customers] |= hit & (looked > 0)
    return total / len(days)


def calibration(scored: Scored, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Measure how near probabilities are to what happened: `fraud_rate`, `brier` and `ece`.

    The Brier score is the mean squared error, lower is better: compare with fraud_rate * (1 - fraud_rate). The
    expected calibration error is the mean distance of predicted and observed fraud rate over bins of equally many
    rows.

    References
    ----------
    M. Naeini, G. Cooper, M. Hauskrecht: Obtaining well calibrated probabilities using Bayesian binning. AAAI 2015.
    """
    rows = weights @ scored.by_customer(np.ones(len(scored.label)))
    gaps = np.zeros(len(weights))
    for here in np.array_split(np.arange(len(scored.label)), ECE_BINS):
        gap = np.bincount(scored.customer[here], (scored.probability - scored.label)[here], scored.customers)
        gaps += np.abs(weights @ gap)
    return {
        "fraud_rate": weights @ scored.by_customer(scored.label) / rows,
        "brier": weights @ scored.by_customer((scored.probability - scored.label) ** 2) / rows,
        "ece": gaps / rows,
    }


def confusion(scored: Scored, weights: np.ndarray, threshold: float) -> dict[str, np.ndarray]:
    """Measure alerts from a threshold on: `alert_rate`, `accuracy`, `precision`, `recall`, `f1`."""
    alert = scored.probability >= threshold
    rows, alerts, frauds, hits = (
        weights @ scored.by_customer(values)
        for values in (np.ones(len(alert)), alert, scored.label, alert & scored.label)
    )
    return {
        "alert_rate": alerts / rows,
        "accuracy": (rows - alerts - frauds + 2 * hits) / rows,
        "precision": hits / np.maximum(alerts, 1e-9),
        "recall": hits / np.maximum(frauds, 1e-9),
        "f1": 2 * hits / np.maximum(alerts + frauds, 1e-9),
    }


def evaluate(rows: Rows, probability: np.ndarray) -> dict[str, float]:
    """Measure the sample itself: ranking, card precision and calibration, as in manifests and cards."""
    scored = Scored.of(rows, probability)
    once = scored.once()
    metrics = calibration(scored, once) | ranking(scored, once)
    metrics[f"card_precision_at_{CARDS_A_DAY}"] = card_precision(scored, once)
    return {name: round(float(values[0]), 6) for name, values in metrics.items() if np.isfinite(values[0])}


def recall_by_type(
    label: np.ndarray, probability: np.ndarray, fraud_type: np.ndarray, rate: float
) -> dict[str, tuple[int, float]]:
    """Frauds of each type and the share of them among the `rate` highest scores."""
    alerts = alerted(probability, rate)
    kinds = np.array([kind or "unknown" for kind in fraud_type], dtype=object)
    return {
        kind: (int((of := label & (kinds == kind)).sum()), float(alerts[of].mean()))
        for kind in sorted(set(kinds[label]))
    }
