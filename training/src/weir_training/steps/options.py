"""Settings that several steps have on the command line."""

import argparse
from collections.abc import Callable

from weir_training.bootstrap import Resampling
from weir_training.prequential import Prequential
from weir_training.recipe import Recipe


def number(least: float = 0, most: float = float("inf"), kind: type = float) -> Callable[[str], float]:
    """Make a reader of numbers from `least` to `most`."""

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text} is no number") from error
        if not least <= value <= most:
            limit = f"{least:g} at least" if most == float("inf") else f"between {least:g} and {most:g}"
            raise argparse.ArgumentTypeError(f"{text} should be {limit}")
        return value

    return read


def add_resampling(parser: argparse.ArgumentParser) -> None:
    """Add what intervals depend on."""
    parser.add_argument(
        "--resamples",
        type=number(2, 100_000, int),
        default=500,
        help="of the customers, for intervals (default: 500)",
    )
    parser.add_argument("--seed", type=number(0, kind=int), default=7, help="of chance (default: 7)")


def resampling_of(options: argparse.Namespace) -> Resampling:
    """Read what `add_resampling` added."""
    return Resampling(options.resamples, options.seed)


def add_folds(parser: argparse.ArgumentParser, says: str) -> None:
    """Add how to validate in time."""
    whole = number(1, kind=int)
    parser.add_argument("--folds", type=whole, help=says)
    parser.add_argument("--fold-days", type=whole, help="days that a fold is validated on (default: 5)")
    parser.add_argument("--fold-train-days", type=whole, help="days of training before (default: all there are)")
    parser.add_argument(
        "--fold-delay-days", type=number(0, kind=int), help="days between both (default: as in prepare)"
    )


def plan_of(options: argparse.Namespace, recipe: Recipe) -> Prequential | None:
    """Read what `add_folds` added, over what the recipe says; None where neither says anything."""
    said = {
        "folds": options.folds,
        "validation_days": options.fold_days,
        "train_days": options.fold_train_days,
        "delay_days": options.fold_delay_days,
    }
    said = {name: value for name, value in said.items() if value is not None}
    if not said:
        return recipe.prequential
    return (recipe.prequential or Prequential()).model_copy(update=said)
