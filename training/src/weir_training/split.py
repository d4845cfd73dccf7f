"""Splits in time, with the delay that labels have in real life."""

from dataclasses import dataclass

import numpy as np

from weir_training.errors import TrainingError
from weir_training.table import Table

DAY = 86_400_000
"""Milliseconds."""


@dataclass(frozen=True)
class Period:
    """Rows of a stretch of time and what was known of them when they were used.

    Attributes
    ----------
    start, end : int
        Epoch milliseconds, UTC midnights; `end` is outside.
    rows : slice
        Into the table.
    label : ndarray of bool
        As known at the start of the next period; for the last one, at the export.
    """

    start: int
    end: int
    rows: slice
    label: np.ndarray


@dataclass(frozen=True)
class Split:
    """train | delay | validation | delay | test."""

    train: Period
    validation: Period
    test: Period


def split_by_time(table: Table, delay_days: int, validation_days: int, test_days: int) -> Split:
    """Split a table so that no period uses a label before it was known.

    The delay lies before validation and again before test: a fraud is learnt of days after the payment, so the
    newest rows that a model could learn from are that old when it starts to serve. Labels that came later still
    count as good in training, as they would in production.

    Raises
    ------
    TrainingError
        When a period has no rows or no fraud.
    """
    end = int(-(-(int(table.event_time[-1]) + 1) // DAY) * DAY) if len(table.event_time) else 0
    test_start = end - test_days * DAY
    validation_end = test_start - delay_days * DAY
    validation_start = validation_end - validation_days * DAY
    train_end = validation_start - delay_days * DAY
    train_start = int(table.event_time[0]) // DAY * DAY if len(table.event_time) else 0
    return Split(
        train=_period(table, "train", train_start, train_end, known_by=validation_start),
        validation=_period(table, "validation", validation_start, validation_end, known_by=test_start),
        test=_period(table, "test", test_start, end, known_by=None),
    )


def _period(table: Table, name: str, start: int, end: int, known_by: int | None) -> Period:
    first, last = np.searchsorted(table.event_time, [start, end])
    rows = slice(int(first), int(last))
    label = (table.label if known_by is None else table.label_at(known_by))[rows]
    if not label.any() or label.all():
        days = (end - start) / DAY
        raise TrainingError(
            f"The {name} period ({days:g} days) has {len(label)} rows and {int(label.sum())} frauds: it needs "
            "both kinds. Export a longer table, or shorten --delay-days, --validation-days or --test-days."
        )
    return Period(start=start, end=end, rows=rows, label=label)
