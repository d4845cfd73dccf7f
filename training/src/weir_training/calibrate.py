"""Calibration and the score map: two monotone maps given by knots, drawn with straight lines between them."""

from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import IsotonicRegression

MAX_KNOTS = 50
MIN_FRAUDS_PER_KNOT = 5
POINTS_TO_DOUBLE = 50
"""Risk score points that double the odds of fraud."""
FLOOR_ODDS = 1e-4
"""Odds of fraud at and below which the risk score is 0."""


@dataclass(frozen=True)
class Knots:
    """Points of a monotone map; `x` increases strictly, `y` never decreases."""

    x: np.ndarray
    y: np.ndarray

    @classmethod
    def of(cls, knots: dict) -> "Knots":
        """Read what `as_dict` gave."""
        return cls(np.array(knots["x"]), np.array(knots["y"]))

    def as_dict(self) -> dict:
        """Give the lists that go into JSON."""
        return {"x": self.x.tolist(), "y": self.y.tolist()}

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Interpolate, in the order of operations that serving uses, so that both agree to the last bit.

        Examples
        --------
        >>> Knots(np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.1, 1.0]))(np.array([0.25, 0.75, 2.0]))
        array([0.05, 0.55, 1.  ])
        """
        values = np.asarray(values, dtype=np.float64)
        i = np.clip(np.searchsorted(self.x, values, side="right") - 1, 0, len(self.x) - 2)
        x0, x1, y0, y1 = self.x[i], self.x[i + 1], self.y[i], self.y[i + 1]
        inside = y0 + ((values - x0) * (y1 - y0)) / (x1 - x0)
        return np.where(values <= self.x[0], self.y[0], np.where(values >= self.x[-1], self.y[-1], inside))


def fit_calibration(raw: np.ndarray, label: np.ndarray) -> Knots:
    """Isotonic regression thinned to at most some `MAX_KNOTS` knots.

    Neighbouring blocks are joined until each holds enough frauds to mean something; a knot is the mean raw score
    and the share of frauds of such a group. The ends are held at (0, 0) and (1, 1), so no two raw scores become
    one and the ranking stays.

    References
    ----------
    B. Zadrozny, C. Elkan: Transforming classifier scores into accurate multiclass probability estimates. KDD 2002.
    """
    order = np.argsort(raw, kind="stable")
    raw, label = raw[order], label[order]
    fitted = IsotonicRegression(y_min=0, y_max=1).fit_transform(raw, label)
    blocks = np.flatnonzero(np.diff(fitted, prepend=-1.0))
    wanted = max(MIN_FRAUDS_PER_KNOT, int(np.ceil(label.sum() / (MAX_KNOTS - 2))))
    x, y, start = [0.0], [0.0], 0
    for end in [*blocks[1:], len(raw)]:
        remaining = label[end:].sum()
        enough = label[start:end].sum() >= wanted and (remaining >= wanted or end == len(raw))
        if not (enough or end == len(raw)):
            continue
        mean_raw, share = float(raw[start:end].mean()), float(label[start:end].mean())
        if x[-1] < mean_raw < 1.0 and y[-1] < share < 1.0:
            x.append(mean_raw)
            y.append(share)
        start = end
    return Knots(np.array([*x, 1.0]), np.array([*y, 1.0]))


def score_map() -> Knots:
    """Map a calibrated probability to a risk score, 0 to 999; the same for every model, so its meaning stays.

    Linear in log-odds at the knots: odds of 1 : 10,000 or less are 0, and every 50 points double the odds, so 999
    is a probability of 0.99 or more. The knots lie 25 points apart.

    Examples
    --------
    >>> score_map()(np.array([0.0, 0.0001, 0.01, 0.1, 0.5, 1.0])).round()
    array([  0.,   0., 332., 505., 664., 999.])
    """
    points = np.append(np.arange(0, 999, POINTS_TO_DOUBLE / 2), 999.0)
    odds = FLOOR_ODDS * 2 ** (points / POINTS_TO_DOUBLE)
    return Knots(odds / (1 + odds), points)


def risk_scores(scale: Knots, probability: np.ndarray) -> np.ndarray:
    """Whole risk scores, halves rounded up as in serving."""
    return np.floor(scale(probability) + 0.5).astype(int)
