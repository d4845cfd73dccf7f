"""The command ``weir-training``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from weir_training import gbm
from weir_training.calibrate import fit_calibration, score_map
from weir_training.errors import TrainingError
from weir_training.evaluate import ALERT_RATES, evaluate, recall_by_type
from weir_training.package import Trained, golden_rows, parse_target, require_parity, write_package
from weir_training.split import split_by_time
from weir_training.table import read_table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        train_gbm(options)
    except TrainingError as error:
        print(f"weir-training: {error}", file=sys.stderr)
        return 1
    return 0


def train_gbm(options: argparse.Namespace) -> None:
    """Train, calibrate, measure, compare with its export, and only then write."""
    parse_target(options.out)
    table = read_table(options.table)
    split = split_by_time(table, options.delay_days, options.validation_days, options.test_days)
    settings = {"trees": options.trees, "leaves": options.leaves, "learning_rate": options.learning_rate}
    booster = gbm.train(table.features[split.train.rows], split.train.label, **settings)
    raw = gbm.raw_scores(booster, table.features)
    calibration = fit_calibration(raw[split.validation.rows], split.validation.label)
    probability = calibration(raw[split.test.rows])
    trained = Trained(
        family=f"Gradient-boosted trees (LightGBM, {options.trees} trees of {options.leaves} leaves)",
        settings=settings,
        onnx=gbm.to_onnx(booster, len(table.columns)),
        raw=raw,
        importance=gbm.importance(booster, table.columns),
        calibration=calibration,
        score_map=score_map(),
        metrics=evaluate(split.test.label, probability),
        recall_by_type=recall_by_type(
            split.test.label, probability, table.fraud_type[split.test.rows], ALERT_RATES[-1]
        ),
    )
    golden = golden_rows(table, split.test)
    golden_raw = gbm.raw_scores(booster, golden)
    difference = max(
        require_parity(golden_raw, trained.onnx, golden),
        require_parity(raw[split.test.rows], trained.onnx, table.features[split.test.rows]),
    )
    write_package(options.out, table, split, trained, (golden, golden_raw), options.data)
    for name, value in trained.metrics.items():
        print(f"{name:24} {value:.4f}")
    print(f"wrote {options.out}; ONNX is within {difference:.1e} of the model")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="weir-training", description="Train models that weir serves.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    gbm_ = commands.add_parser(
        "train-gbm",
        help="gradient-boosted trees",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    gbm_.add_argument("--table", type=Path, required=True, help="Parquet file of `weir export`")
    gbm_.add_argument("--out", type=Path, required=True, help="models/<name>/<version>; must not exist yet")
    gbm_.add_argument("--data", required=True, help="where the data comes from, a sentence for the model card")
    gbm_.add_argument("--delay-days", type=int, default=7, help="days until most frauds are known")
    gbm_.add_argument("--validation-days", type=int, default=7, help="days to calibrate on")
    gbm_.add_argument("--test-days", type=int, default=7, help="days to measure on")
    gbm_.add_argument("--trees", type=int, default=200, help="trees")
    gbm_.add_argument("--leaves", type=int, default=15, help="leaves of a tree")
    gbm_.add_argument("--learning-rate", type=float, default=0.05, help="weight of a tree")
    return parser
