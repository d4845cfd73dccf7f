"""``weir-training learn``: lookup tables of an export's first payments, for a second export."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from weir_training.errors import TrainingError
from weir_training.files import require_free, whole_file
from weir_training.lookups import LEARNERS, learner
from weir_training.lookups.base import COLUMN_OF, Learned, Learner, LookupSettings, LookupTable, write_lookups
from weir_training.lookups.words import words_of
from weir_training.recipe import checked, read_recipe
from weir_training.split import DAY, instant
from weir_training.steps.prepare import day
from weir_training.steps.show import console, show_table
from weir_training.table import read_table

FIRST_DAYS = 14


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = commands.add_parser("learn", help="learn lookup tables: vectors, factors, profiles")
    parser.add_argument(
        "learner", nargs="+", choices=[*LEARNERS, "all"], metavar="TABLES", help=", ".join([*LEARNERS, "all"])
    )
    parser.add_argument("--table", type=Path, required=True, help="Parquet file of `weir export`")
    parser.add_argument(
        "--until",
        type=day,
        help=f"payments before this day, YYYY-MM-DD, are learned from (default: {FIRST_DAYS} days of the table); "
        "models are trained on those from it on",
    )
    parser.add_argument("--out", type=Path, required=True, help="lookups.json, for `weir export --lookups`")
    parser.add_argument("--recipe", type=Path, help="YAML file of settings")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> dict:
    """Learn, write the file, and return what the tables are."""
    require_free(options.out)
    names = LEARNERS if "all" in options.learner else list(dict.fromkeys(options.learner))
    recipe = read_recipe(options.recipe).lookups
    settings = {name: checked(learner(name).settings, name, recipe.get(name, {})) for name in names}
    payments = read_table(options.table).frame
    event_time = payments["event_time"].to_numpy()
    until = first_days_of(event_time) if options.until is None else options.until
    earlier = event_time < until
    learners = {learner(name): settings[name] for name in names}
    learned, nothing = learn_all(learners, payments[earlier], options.table)
    about = {
        "from": instant(int(event_time[0])),
        "to": instant(until),
        "payments": int(earlier.sum()),
    }
    text = write_lookups(learned, about)
    whole_file(options.out, text)
    size = options.out.stat().st_size
    tables = {name: about_table(table, payments[~earlier]) for name, table in learned.tables.items()}
    _show(options.out, size, about, tables, nothing)
    return {"out": str(options.out), "bytes": size, "learned": about, "tables": tables, "nothing": nothing}


def first_days_of(event_time: np.ndarray) -> int:
    """Midnight, epoch milliseconds, after so many days of a table."""
    return (int(event_time[0]) // DAY + FIRST_DAYS) * DAY if len(event_time) else 0


def learn_all(
    learners: dict[Learner, LookupSettings], payments: pd.DataFrame, path: Path
) -> tuple[Learned, list[str]]:
    """Learn each; the second value names those that found nothing to learn from.

    Raises
    ------
    TrainingError
        When there are no payments, a column is missing, or none of the learners found anything.
    """
    if len(payments) == 0:
        raise TrainingError(
            f"{path} has no payments before --until: take a later day, or export earlier payments."
        )
    tables, columns, nothing = {}, [], []
    for each, settings in learners.items():
        missing = [f"tx_{name}" for name in each.needs if name not in payments.columns]
        if missing:
            raise TrainingError(f"{path} lacks {', '.join(missing)}, which {each.name} needs. Export it again.")
        with console.status(f"learning {each.name}"):
            found = each.learn(payments, settings)
        if found is None:
            nothing.append(each.name)
            continue
        tables |= found.tables
        columns += found.columns
    if not tables:
        raise TrainingError(
            f"Nothing in the {len(payments):,} payments before --until occurs often enough to learn "
            f"{', '.join(nothing)} from: take more days, or lower minimum_count in the recipe."
        )
    return Learned(tables, columns), nothing


def about_table(table: LookupTable, later: pd.DataFrame) -> dict:
    """Size of a table, and the share of the later payments with such a key that find theirs in it."""
    present = later[COLUMN_OF[table.key]].dropna()
    if table.key == "word":
        known = set(table.keys)
        found = present.map(lambda text: not known.isdisjoint(words_of(text)))
    else:
        found = present.isin(table.keys)
    return {
        "key": table.key,
        "keys": len(table.keys),
        "dimensions": table.values.shape[1],
        "known_later": round(float(found.mean()), 4) if len(found) else None,
    }


def _show(out: Path, size: int, about: dict, tables: dict[str, dict], nothing: list[str]) -> None:
    rows = (
        (
            name,
            table["key"],
            f"{table['keys']:,}",
            str(table["dimensions"]),
            "" if table["known_later"] is None else f"{table['known_later']:.1%}",
        )
        for name, table in tables.items()
    )
    show_table(("table", "key", "keys", "dimensions", "known later"), rows, words=2)
    for name in nothing:
        console.print(f"note: nothing to learn {name} from.", markup=False)
    console.print(f"wrote {out}, {size:,} bytes, from {about['payments']:,} payments before {about['to'][:10]}")
