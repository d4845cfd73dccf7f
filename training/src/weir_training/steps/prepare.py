"""``weir-training prepare``: clean an export, look at it, and cut it into periods."""

import argparse
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from weir_training.dataset import Prepared, Rows, write_prepared
from weir_training.errors import TrainingError
from weir_training.files import whole_folder
from weir_training.quality import quality_of, refuse_leaks, write_quality
from weir_training.split import DAY, Period, Plan, instant, plan_periods
from weir_training.steps.show import console, show_table
from weir_training.table import Table, read_table


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = commands.add_parser("prepare", help="clean an export and cut it into periods")
    parser.add_argument("--table", type=Path, required=True, help="Parquet file of `weir export`")
    parser.add_argument("--out", type=Path, required=True, help="run folder, made anew")
    parser.add_argument(
        "--train-start", type=day, help="first day of training, YYYY-MM-DD (default: of the table)"
    )
    parser.add_argument("--train-days", type=_days, help="days of training (default: all up to the delay)")
    parser.add_argument(
        "--delay-days", type=_days_or_none, default=7, help="days until most frauds are known (default: 7)"
    )
    parser.add_argument(
        "--validation-days",
        type=_days_or_none,
        default=7,
        help="days to calibrate on (default: 7); 0: calibrate on out-of-fold scores of the training rows",
    )
    parser.add_argument("--test-days", type=_days, default=7, help="days to measure on (default: 7)")
    parser.add_argument("--test-start", type=day, help="first day of test, YYYY-MM-DD (default: see --test-days)")
    parser.add_argument("--feature-hash", help="refuse a table of other features")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> dict:
    """Prepare and return what was done."""
    with whole_folder(options.out) as folder:
        table = read_table(options.table)
        if options.feature_hash not in (None, table.feature_hash):
            raise TrainingError(
                f"{options.table} has features {table.feature_hash}, not {options.feature_hash}: export it again."
            )
        table, cleaned = clean(table)
        plan = Plan(
            options.train_start,
            options.train_days,
            options.delay_days,
            options.validation_days,
            options.test_days,
            options.test_start,
        )
        prepared = cut(table, after_lookups(table, plan))
        refuse_leaks(prepared)
        quality = quality_of(prepared) | {"cleaned": cleaned}
        (folder / "prepared").mkdir()
        write_prepared(prepared, folder / "prepared")
        write_quality(quality, folder / "prepared")
    _show(prepared, quality)
    return {"out": str(options.out), "periods": prepared.periods, "cleaned": cleaned}


def clean(table: Table) -> tuple[Table, dict[str, int]]:
    """Drop payments that come twice (the first stays) and turn infinite values into missing ones.

    Returns
    -------
    Table, dict
        `duplicates` and `infinite`: how many rows and cells that were.
    """
    kept = ~table.frame["transaction_id"].duplicated().to_numpy()
    infinite = np.isinf(table.features)
    features = np.where(infinite, np.float32(np.nan), table.features)[kept]
    cleaned = {"duplicates": int((~kept).sum()), "infinite": int(infinite.sum())}
    frame = table.frame[kept].reset_index(drop=True)
    label, known_time = table.label[kept], table.known_time[kept]
    return replace(table, features=features, label=label, known_time=known_time, frame=frame), cleaned


def after_lookups(table: Table, plan: Plan) -> Plan:
    """Begin training where the period ends that the table's lookups were learned from.

    Vectors and factors of a payment's own period know of that payment: the affinity of a customer to a merchant is
    high because this payment was made. A model that is trained on such rows trusts it more than it may when it
    serves.

    Raises
    ------
    TrainingError
        When the plan begins earlier.
    """
    if table.lookups is None:
        return plan
    learned = day(json.loads(table.lookups)["learned"]["to"][:10])
    if plan.train_start is None and plan.train_days is None:
        plan = replace(plan, train_start=learned)
    if plan_periods(table.event_time, plan)["train"].start < learned:
        raise TrainingError(
            f"Lookups were learned from payments before {instant(learned)[:10]}, so training may not begin "
            "earlier: give a later --train-start or fewer --train-days, or learn with an earlier --until."
        )
    return plan


def cut(table: Table, plan: Plan) -> Prepared:
    """Cut a table into the periods of a plan.

    Raises
    ------
    TrainingError
        When a period has no rows, or frauds only, or none.
    """
    periods = plan_periods(table.event_time, plan)
    rows = {name: table.rows_of(period) for name, period in periods.items()}
    for name, period in periods.items():
        label = rows[name].label
        if not label.any() or label.all():
            days = (period.end - period.start) / DAY
            raise TrainingError(
                f"The {name} period ({days:g} days) has {len(label)} rows and {int(label.sum())} frauds: it needs "
                "both kinds. Export a longer table, or shorten --delay-days, --validation-days or --test-days."
            )
    return Prepared(
        columns=table.columns,
        feature_hash=table.feature_hash,
        train=rows["train"],
        validation=rows.get("validation"),
        test=rows["test"],
        periods={name: _about(period, rows[name]) for name, period in periods.items()},
        delay_days=plan.delay_days,
        lookups=table.lookups,
    )


def _about(period: Period, rows: Rows) -> dict:
    return {
        "from": instant(period.start),
        "to": instant(period.end),
        "rows": len(rows.label),
        "frauds": int(rows.label.sum()),
    }


def _show(prepared: Prepared, quality: dict) -> None:
    rows = (
        (name, about["from"][:10], about["to"][:10], f"{about['rows']:,}", f"{about['frauds']:,}")
        for name, about in prepared.periods.items()
    )
    show_table(("period", "from", "to (before)", "rows", "frauds"), rows, words=3)
    for warning in quality["warnings"]:
        console.print(f"note: {warning}", markup=False)


def day(text: str) -> int:
    """Midnight, UTC, of YYYY-MM-DD, as an option of the command line; epoch milliseconds."""
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no day; write YYYY-MM-DD") from error


def _days(text: str, least: int = 1) -> int:
    days = int(text)
    if days < least:
        raise argparse.ArgumentTypeError(f"there must be {least} at least")
    return days


def _days_or_none(text: str) -> int:
    return _days(text, 0)
