"""Feature selection: which columns a family can do without, by the same folds as its settings."""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score

from weir_training.families.base import Family, Settings
from weir_training.prequential import Fold, validate
from weir_training.search import Progress

LEAST_COLUMNS = 4
SHRINK = 0.7
"""Share of the columns that the next smaller set keeps."""


@dataclass(frozen=True)
class Selection:
    """What came of it.

    Attributes
    ----------
    importance : dict of str to float
        Mean loss of average precision when a column is shuffled among the validation rows; highest first.
    sets : list of dict
        `columns` (how many), `average_precision` (mean), `folds`; the largest first.
    columns : list of str
        Of the set that was chosen.
    """

    importance: dict[str, float]
    sets: list[dict]
    columns: list[str]


def select_columns(
    kind: Family, settings: Settings, folds: list[Fold], available: list[str], seed: int, progress: Progress
) -> Selection | None:
    """Rank columns by permutation, train on ever fewer of the first, and take the smallest set that is as good.

    As good means: on average over the folds no further behind the best set than one standard error of that
    difference. The folds rank and choose, so their figures of the chosen set flatter it a little; test does not.

    References
    ----------
    L. Breiman: Random forests. Machine Learning 45, 2001, for permutation. L. Breiman et al.: Classification and
    regression trees, 1984, for the rule of one standard error.

    Returns
    -------
    Selection or None
        None for a family that reads sequences, which are read whole.
    """
    columns = kind.columns_of(settings, available)
    if any(name.startswith("seq_") for name in columns):
        return None
    progress(f"{kind.name}: shuffling {len(columns)} columns")
    loss = np.mean([_losses(kind, settings, fold, columns, available, seed) for fold in folds], axis=0)
    ranked = [columns[i] for i in np.argsort(-loss, kind="stable")]
    sets, size = [], len(ranked)
    while True:
        progress(f"{kind.name}: trying {size} columns")
        fewer = settings.model_copy(update={"columns": ranked[:size]})
        precisions = [precision for _, precision in validate(kind, fewer, folds, available)]
        sets.append(
            {
                "columns": size,
                "average_precision": round(float(np.mean(precisions)), 6),
                "folds": [round(value, 6) for value in precisions],
            }
        )
        if size <= LEAST_COLUMNS:
            break
        size = max(LEAST_COLUMNS, int(size * SHRINK))
    chosen = set(ranked[: as_good_as_best(sets)])
    importance = {name: round(float(loss[columns.index(name)]), 6) for name in ranked}
    return Selection(importance, sets, [name for name in columns if name in chosen])


def as_good_as_best(sets: list[dict]) -> int:
    """Size of the smallest set within one standard error of the best.

    Examples
    --------
    >>> wide, narrow = {"columns": 9, "folds": [0.5, 0.7]}, {"columns": 4, "folds": [0.51, 0.67]}
    >>> as_good_as_best([wide, narrow]), as_good_as_best([wide, narrow | {"folds": [0.4, 0.6]}])
    (4, 9)
    """
    best = max(sets, key=lambda one: np.mean(one["folds"]))

    def is_as_good(one: dict) -> bool:
        behind = np.subtract(best["folds"], one["folds"])
        error = behind.std(ddof=1) / np.sqrt(len(behind)) if len(behind) > 1 else 0.0
        return bool(behind.mean() <= error)

    return min(one["columns"] for one in sets if is_as_good(one))


def _losses(
    kind: Family, settings: Settings, fold: Fold, columns: list[str], available: list[str], seed: int
) -> np.ndarray:
    places = [available.index(name) for name in columns]
    train, validation = fold.train.narrow(places), fold.validation.narrow(places)
    fitted = kind.train(train, None, settings)
    whole = average_precision_score(validation.label, fitted.raw(validation.X))
    order = np.random.default_rng(seed).permutation(len(validation.label))
    losses = []
    for place in range(len(columns)):
        shuffled = validation.X.copy()
        shuffled[:, place] = shuffled[order, place]
        losses.append(whole - average_precision_score(validation.label, fitted.raw(shuffled)))
    return np.array(losses)
