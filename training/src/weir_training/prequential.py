"""Validation in time: train, wait for labels, validate, and move on, all inside the training period."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from sklearn.metrics import average_precision_score

from weir_training.dataset import Prepared, Rows
from weir_training.errors import TrainingError
from weir_training.families.base import Family, Settings
from weir_training.split import DAY


class Prequential(BaseModel):
    """How the training period is cut into folds; the last one ends where it ends."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folds: int = Field(3, ge=1, description="How often it is trained and validated.")
    validation_days: int = Field(5, ge=1, description="Of each fold; the next begins where this one ends.")
    train_days: int | None = Field(None, ge=1, description="Of each fold; none: all days before it.")
    delay_days: int | None = Field(None, ge=0, description="Between both; none: as in `prepare`.")


@dataclass(frozen=True)
class Fold:
    """Rows of the past and of what came after them.

    Attributes
    ----------
    train : Rows
        Labels as they were known when validation began.
    validation : Rows
        Labels as training knows them.
    start, end : int
        Of validation, epoch milliseconds.
    """

    train: Rows
    validation: Rows
    start: int
    end: int


def folds_of(prepared: Prepared, plan: Prequential) -> list[Fold]:
    """Cut the training rows into folds, the earliest first.

    References
    ----------
    J. Gama, R. Sebastião, P. Rodrigues: On evaluating stream learning algorithms. Machine Learning 90, 2013.
    Y.-A. Le Borgne et al.: Reproducible machine learning for credit card fraud detection, practical handbook, 5.3.

    Raises
    ------
    TrainingError
        When training is too short, or a fold lacks frauds or other payments.
    """
    rows, period = prepared.train, prepared.periods["train"]
    first, last = (int(datetime.fromisoformat(period[end]).timestamp() * 1000) for end in ("from", "to"))
    delay = DAY * (prepared.delay_days if plan.delay_days is None else plan.delay_days)
    length = plan.validation_days * DAY
    event_time, known_time = rows.frame["event_time"].to_numpy(), rows.frame["known_time"].to_numpy()
    least = DAY * (plan.train_days or plan.validation_days)
    needed = (plan.folds * length + delay + least) // DAY
    if first + needed * DAY > last:
        raise TrainingError(
            f"{plan.folds} folds of {plan.validation_days} days after {delay // DAY} days of delay need "
            f"{needed} days of training; there are {(last - first) // DAY}. "
            "Take fewer or shorter folds, or prepare a longer training period."
        )
    folds = []
    for number in range(plan.folds):
        start = last - (plan.folds - number) * length
        begin = first if plan.train_days is None else start - delay - plan.train_days * DAY
        train = rows.take((event_time >= begin) & (event_time < start - delay))
        known = known_time[(event_time >= begin) & (event_time < start - delay)] <= start
        train = replace(train, label=train.label & known)
        fold = Fold(train, rows.take((event_time >= start) & (event_time < start + length)), start, start + length)
        for part, found in (("training", fold.train), ("validation", fold.validation)):
            if not found.label.any() or found.label.all():
                raise TrainingError(
                    f"The {part} rows of fold {number + 1} ({days_of(fold)}) are {len(found.label)} with "
                    f"{int(found.label.sum())} frauds: both kinds are needed. Take fewer or longer folds."
                )
        folds.append(fold)
    return folds


def days_of(fold: Fold) -> str:
    """Write when a fold is validated."""
    days = (datetime.fromtimestamp(moment / 1000, UTC) for moment in (fold.start, fold.end))
    return " to ".join(day.strftime("%Y-%m-%d") for day in days)


def validate(
    kind: Family, settings: Settings, folds: list[Fold], available: list[str]
) -> Iterator[tuple[np.ndarray, float]]:
    """Train on each fold and give the raw scores of its validation rows and their average precision.

    Nothing stops early: a fold's validation rows say how good the model is, and so cannot say when to stop.
    """
    places = [available.index(column) for column in kind.columns_of(settings, available)]
    for fold in folds:
        raw = kind.train(fold.train.narrow(places), None, settings).raw(fold.validation.narrow(places).X)
        yield raw, float(average_precision_score(fold.validation.label, raw))
