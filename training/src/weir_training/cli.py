"""The command ``weir-training``."""

import argparse
import json
import sys
from collections.abc import Sequence

from weir_training.errors import TrainingError
from weir_training.steps import (
    compare,
    evaluate,
    export,
    fuse,
    learn,
    neighbours,
    optimise,
    prepare,
    settings,
    train,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a step; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    try:
        result = options.run(options)
    except TrainingError as error:
        print(f"weir-training: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(result, allow_nan=False))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="weir-training", description="Train models that weir serves.")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for step in (learn, neighbours, settings, prepare, optimise, train, fuse, evaluate, export, compare):
        step.add_parser(commands)
    return parser
