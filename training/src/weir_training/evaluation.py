"""Everything that is measured of models on the same rows, as evaluation.json holds it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import numpy as np

from weir_training.bootstrap import Measure, Resampling, difference, drawn, interval
from weir_training.dataset import Prepared, Rows
from weir_training.errors import TrainingError
from weir_training.evaluate import (
    ALERT_RATES,
    CARDS_A_DAY,
    REVIEW_COST,
    Scored,
    alerted,
    calibration,
    card_precision,
    confusion,
    ranking,
)
from weir_training.scores import Probabilities
from weir_training.segments import by_scenario, by_segment, calibration_bins, segments_of

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Terms:
    """On what terms models are measured.

    Attributes
    ----------
    alert_rate : float
        Share of payments that become alerts: segments and scenarios are measured at it, and the threshold of
        accuracy, precision, recall and F1 is set on validation to give it.
    review_cost : float
        Of one alert, major units of the reference currency.
    """

    alert_rate: float = 0.01
    review_cost: float = REVIEW_COST
    resampling: Resampling = field(default_factory=Resampling)


def every_metric(threshold: float, terms: Terms) -> Measure:
    """Measure all that has an interval: see `ranking`, `card_precision`, `calibration`, `confusion`."""
    rates = sorted({*ALERT_RATES, terms.alert_rate})

    def measure(scored: Scored, weights: np.ndarray) -> dict[str, np.ndarray]:
        cards = {f"card_precision_at_{CARDS_A_DAY}": card_precision(scored, weights)}
        return (
            ranking(scored, weights, terms.review_cost, rates)
            | cards
            | calibration(scored, weights)
            | confusion(scored, weights, threshold)
        )

    return measure


def threshold_for(probability: np.ndarray, alert_rate: float) -> float:
    """Find the lowest probability that is still alerted on."""
    return float(probability[alerted(probability, alert_rate)].min())


def require_both_kinds(rows: Rows) -> None:
    """Refuse rows of one kind: nothing can be ranked there.

    Raises
    ------
    TrainingError
        When there are no frauds, or nothing else.
    """
    if not rows.label.any() or rows.label.all():
        raise TrainingError(
            f"There are {len(rows.label)} rows and {int(rows.label.sum())} frauds to measure on: both kinds are "
            "needed. Prepare a longer table, or more days."
        )


def evaluation_of(
    prepared: Prepared,
    scores: dict[str, Probabilities],
    titles: dict[str, str],
    detail: str,
    terms: Terms,
    progress: Progress,
) -> dict:
    """Measure every model on the test rows.

    Returns
    -------
    dict
        `period`, `terms`, `amount_of_fraud`, `perfect_card_precision`, `detail` (the model in front), `models` by
        name, and `lead`: the paired difference of average precision between `detail` and each other.
    """
    test = prepared.test
    require_both_kinds(test)
    segments, kinds = segments_of(prepared), test.frame["fraud_type"]
    models, precision = {}, {}
    for name, found in scores.items():
        progress(name)
        scored = Scored.of(test, found.test)
        alert = alerted(scored.probability, terms.alert_rate)
        threshold = threshold_for(found.validation, terms.alert_rate)
        resampled = drawn(scored, every_metric(threshold, terms), terms.resampling)
        precision[name] = resampled["average_precision"]
        models[name] = {
            "title": titles[name],
            "threshold": threshold,
            "metrics": {metric: interval(values) for metric, values in resampled.items()},
            "scenarios": by_scenario(scored, alert, kinds, terms.resampling),
            "segments": {
                segment: by_segment(scored, alert, groups, terms.resampling)
                for segment, groups in segments.items()
            },
            "calibration": calibration_bins(scored, terms.resampling),
        }
    perfect = Scored.of(test, test.label.astype(float))
    amount = perfect.amount
    return {
        "period": prepared.periods["test"],
        "terms": asdict(terms),
        "amount_of_fraud": None if amount is None else round(float(amount[perfect.label].sum()), 2),
        "perfect_card_precision": round(float(card_precision(perfect, perfect.once())[0]), 6),
        "detail": detail,
        "models": models,
        "lead": {
            name: difference(precision[detail], values) for name, values in precision.items() if name != detail
        },
    }
