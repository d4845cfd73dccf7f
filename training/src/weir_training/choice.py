"""Model selection: which family is best on the folds, and whether that is more than chance."""

import numpy as np

from weir_training.bootstrap import Measure, Resampling, difference, drawn, interval
from weir_training.evaluate import Scored, ranking
from weir_training.prequential import Fold


def compare_families(
    folds: list[Fold], raw: dict[str, list[np.ndarray]], resampling: Resampling
) -> dict[str, dict]:
    """Compare by mean average precision over the folds, the best first.

    Parameters
    ----------
    raw : dict of str to list of ndarray
        By family, raw scores of each fold's validation rows.

    Returns
    -------
    dict of str to dict
        `average_precision`: the mean with its interval; `folds`: of each; `behind`: the paired difference of the
        best and this one. The same customers are drawn in all folds and for all families.
    """
    ids = [fold.validation.frame["customer_id"].to_numpy(dtype=str) for fold in folds]
    names = np.unique(np.concatenate(ids))
    found, single = {}, {}
    for family, scores in raw.items():
        scored = [Scored.of(fold.validation, of, names) for fold, of in zip(folds, scores, strict=True)]
        found[family] = drawn(scored[0], _mean_over(scored), resampling)["average_precision"]
        single[family] = [float(ranking(one, one.once())["average_precision"][0]) for one in scored]
    ordered = sorted(found, key=lambda family: -found[family][0])
    return {
        family: {
            "average_precision": interval(found[family]),
            "folds": [round(value, 6) for value in single[family]],
            "behind": difference(found[ordered[0]], found[family]),
        }
        for family in ordered
    }


def _mean_over(folds: list[Scored]) -> Measure:
    def measure(_: Scored, weights: np.ndarray) -> dict[str, np.ndarray]:
        precisions = [ranking(one, weights)["average_precision"] for one in folds]
        return {"average_precision": np.mean(precisions, axis=0)}

    return measure
