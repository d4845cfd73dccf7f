"""Histograms over quantiles, with missing values counted apart."""

import numpy as np


def quantile_edges(values: np.ndarray, bins: int = 10) -> np.ndarray:
    """Inner edges of bins of about equally many `values`; none where there are no values."""
    return np.unique(np.quantile(values, np.arange(1, bins) / bins)) if len(values) else np.array([])


def counts(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Count values in (edges[i-1], edges[i]], one count more than edges.

    Examples
    --------
    >>> counts(np.array([1.0, 2.0, 2.5]), np.array([2.0])).tolist()
    [2, 1]
    """
    return np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
