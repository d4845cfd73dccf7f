"""Confidence intervals: customers drawn again with replacement, so that a customer's payments stay together."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from weir_training.evaluate import Scored

CELLS_AT_ONCE = 4_000_000
"""Rows times resamples that are held in memory."""
LEVEL = 0.95

Measure = Callable[[Scored, np.ndarray], dict[str, np.ndarray]]
"""From rows and weights, shape (resamples, customers), to metrics, each of shape (resamples,)."""


@dataclass(frozen=True)
class Resampling:
    """How many resamples, and where chance begins.

    Attributes
    ----------
    resamples : int
        500 give ends of intervals to about a tenth of their width.
    """

    resamples: int = 500
    seed: int = 7

    def weights(self, scored: Scored) -> Iterator[np.ndarray]:
        """Give how often each customer was drawn, some resamples at a time; the same for the same customers."""
        rng = np.random.default_rng(self.seed)
        customers = scored.customers
        at_once = max(1, CELLS_AT_ONCE // max(customers, len(scored.label)))
        for start in range(0, self.resamples, at_once):
            size = min(at_once, self.resamples - start)
            picked = (rng.integers(0, customers, customers) for _ in range(size))
            yield np.array([np.bincount(one, minlength=customers) for one in picked], dtype=float)


def drawn(scored: Scored, measure: Measure, resampling: Resampling) -> dict[str, np.ndarray]:
    """Measure every resample.

    Returns
    -------
    dict of str to ndarray, shape (1 + resamples,)
        First the sample itself.
    """
    parts = [measure(scored, scored.once()), *(measure(scored, w) for w in resampling.weights(scored))]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def interval(values: np.ndarray) -> dict[str, float | None]:
    """Give `value`, `low` and `high` from what `drawn` gave: the percentile interval at `LEVEL`.

    None stands for what cannot be said, such as the recall of a segment without frauds.

    References
    ----------
    B. Efron, R. Tibshirani: An introduction to the bootstrap, chapter 13. 1993.

    Examples
    --------
    >>> interval(np.append(50.0, np.arange(101.0)))
    {'value': 50.0, 'low': 2.5, 'high': 97.5}
    """
    resampled = values[1:][np.isfinite(values[1:])]
    if not np.isfinite(values[0]) or len(resampled) == 0:
        return {"value": None, "low": None, "high": None}
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return {name: round(float(v), 6) for name, v in (("value", values[0]), ("low", low), ("high", high))}


def difference(first: np.ndarray, second: np.ndarray) -> dict[str, float | bool | None]:
    """Give the interval of first - second over one resampling, and whether it leaves out 0 (`beyond_chance`)."""
    with np.errstate(invalid="ignore"):  # a ratio may have no end in both
        found = interval(first - second)
    low, high = found["low"], found["high"]
    return found | {"beyond_chance": low is not None and high is not None and (low > 0 or high < 0)}
