"""Splits in time, with the delay that labels have in real life."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from weir_training.errors import TrainingError

DAY = 86_400_000
"""Milliseconds."""


def instant(moment: int) -> str:
    """Epoch milliseconds as people write them.

    Examples
    --------
    >>> instant(20_000 * DAY)
    '2024-10-04T00:00:00Z'
    """
    return datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Period:
    """A stretch of time and when its labels were read.

    Attributes
    ----------
    start, end : int
        Epoch milliseconds, UTC midnights; `end` is outside.
    known_by : int or None
        Labels as they were known at this moment, epoch milliseconds; None: at the export.
    """

    start: int
    end: int
    known_by: int | None


@dataclass(frozen=True)
class Plan:
    """How a table is to be cut.

    Attributes
    ----------
    train_start : int or None
        Epoch milliseconds; None: the first day of the table.
    train_days : int or None
        None: all days up to the delay before what follows.
    delay_days : int
        Days until most frauds are known.
    validation_days : int
        0: none; calibration and fusion use out-of-fold scores of the training rows.
    test_days : int
        Days at the end; with both `train_start` and `train_days`, the days that follow the last delay.
    test_start : int or None
        Epoch milliseconds; the test lies there whatever else is given.
    """

    train_start: int | None = None
    train_days: int | None = None
    delay_days: int = 7
    validation_days: int = 7
    test_days: int = 7
    test_start: int | None = None


def plan_periods(event_time: np.ndarray, plan: Plan) -> dict[str, Period]:
    """Train | delay | validation | delay | test, or train | delay | test.

    The delay lies before validation and again before test: a fraud is learnt of days after the payment, so the
    newest rows that a model could learn from are that old when it starts to serve. Labels that came later still
    count as good in training, as they would in production.

    Parameters
    ----------
    event_time : ndarray of int64
        Ascending, epoch milliseconds.

    Raises
    ------
    TrainingError
        When the table is empty.

    Examples
    --------
    >>> days = np.arange(0, 40 * DAY, DAY)
    >>> periods = plan_periods(days, Plan(delay_days=3, validation_days=5, test_days=5))
    >>> {name: (period.start // DAY, period.end // DAY) for name, period in periods.items()}
    {'train': (0, 24), 'validation': (27, 32), 'test': (35, 40)}
    """
    if len(event_time) == 0:
        raise TrainingError("The table has no rows. Export one that has: weir export.")
    first = int(event_time[0]) // DAY * DAY
    end = -(-(int(event_time[-1]) + 1) // DAY) * DAY
    delay, validation_days = plan.delay_days * DAY, plan.validation_days
    train_start = first if plan.train_start is None else plan.train_start
    if plan.test_start is not None:
        test_start, end = plan.test_start, plan.test_start + plan.test_days * DAY
    elif plan.train_days is None or plan.train_start is None:
        test_start = end - plan.test_days * DAY
    else:
        between = delay + (validation_days * DAY + delay if validation_days else 0)
        test_start = train_start + plan.train_days * DAY + between
        end = test_start + plan.test_days * DAY
    periods = {"test": Period(test_start, end, None)}
    next_start = test_start
    if validation_days:
        validation_end = test_start - delay
        next_start = validation_end - validation_days * DAY
        periods["validation"] = Period(next_start, validation_end, test_start)
    train_end = next_start - delay
    if plan.train_days is not None:
        train_start = train_end - plan.train_days * DAY
    periods["train"] = Period(train_start, train_end, next_start)
    return {name: periods[name] for name in ("train", "validation", "test") if name in periods}
