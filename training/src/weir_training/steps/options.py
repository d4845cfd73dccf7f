"""Settings that several steps have on the command line."""

import argparse
from collections.abc import Callable

from weir_training.bootstrap import Resampling


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
