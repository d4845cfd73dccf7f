"""Fusion: several models' probabilities as one, by logistic regression on their log-odds."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from weir_training.calibrate import Knots, fit_calibration

MARGIN = 1e-6
"""Probabilities are held this far from 0 and 1, where log-odds end."""
NO_WEIGHT = 1e-6
"""A part with less than this says nothing."""


@dataclass(frozen=True)
class Fusion:
    """What serving does with the parts' probabilities (src/core/fusion.ts).

    Attributes
    ----------
    weights : list of float
        One a part, in the parts' order.
    calibration : Knots
        From the fused value to a probability of fraud.
    """

    intercept: float
    weights: list[float]
    calibration: Knots

    @classmethod
    def of(cls, about: dict) -> "Fusion":
        """Read what `as_dict` gave."""
        return cls(about["intercept"], about["weights"], Knots.of(about["calibration"]))

    def as_dict(self) -> dict:
        """Give what goes into a manifest."""
        return {
            "intercept": self.intercept,
            "weights": self.weights,
            "calibration": self.calibration.as_dict(),
        }

    def raw(self, probabilities: np.ndarray) -> np.ndarray:
        """Fused values before calibration, summed in the order that serving uses.

        Parameters
        ----------
        probabilities : ndarray, shape (rows, parts)

        Examples
        --------
        >>> fusion = Fusion(0.0, [0.5, 0.5], Knots(np.array([0.0, 1.0]), np.array([0.0, 1.0])))
        >>> fusion.raw(np.array([[0.2, 0.8], [0.5, 0.9]])).round(6)
        array([0.5 , 0.75])
        """
        total = np.full(len(probabilities), self.intercept)
        for weight, values in zip(self.weights, log_odds(probabilities).T, strict=True):
            total = total + weight * values
        return expit(total)

    def __call__(self, probabilities: np.ndarray) -> np.ndarray:
        """Calibrated probabilities."""
        return self.calibration(self.raw(probabilities))


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """ln(p / (1 - p)), held within the margin."""
    held = np.clip(probabilities, MARGIN, 1 - MARGIN)
    return np.log(held / (1 - held))


def fit_fusion(probabilities: np.ndarray, label: np.ndarray, strength: float) -> Fusion:
    """Stack by logistic regression whose weights are not negative.

    A negative weight would let the fused score fall when a part grows more suspicious, and parts that say nearly
    the same would get large weights against each other. The ridge draws the weights towards the plain mean of the
    log-odds, which is what remains where validation has too few frauds to tell the parts apart.

    Parameters
    ----------
    probabilities : ndarray, shape (rows, parts)
        Of rows that the parts were not trained on.
    strength : float
        Of the ridge, a row.

    References
    ----------
    D. Wolpert: Stacked generalization. Neural Networks 5, 1992. L. Breiman: Stacked regressions. Machine Learning
    24, 1996, for weights that are not negative.
    """
    X = np.column_stack([np.ones(len(label)), log_odds(probabilities)])
    parts = probabilities.shape[1]

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margin = X @ weights
        away = np.append(0.0, weights[1:] - 1 / parts)
        value = np.mean(np.logaddexp(0, margin) - label * margin) + strength / 2 * away @ away
        return value, X.T @ (expit(margin) - label) / len(label) + strength * away

    start = np.append(0.0, np.full(parts, 1 / parts))
    bounds = [(None, None)] + [(0, None)] * parts
    fitted = minimize(loss, start, jac=True, bounds=bounds, options={"gtol": 1e-10, "ftol": 1e-14}).x
    uncalibrated = Fusion(float(fitted[0]), fitted[1:].tolist(), IDENTITY)
    calibration = fit_calibration(uncalibrated.raw(probabilities), label)
    return Fusion(uncalibrated.intercept, uncalibrated.weights, calibration)


IDENTITY = Knots(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
