"""``weir-training neighbours``: which keys of lookup tables lie near each other, for a person to look at."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from weir_training.errors import TrainingError
from weir_training.lookups.base import COLUMN_OF, LookupTable, read_lookups
from weir_training.steps.show import console, show_table
from weir_training.table import read_table

NAMES = {"merchant_id": ["merchant_name", "mcc"], "terminal_id": ["merchant_name", "mcc"]}
"""What a key is called, out of the first payment that has it."""


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = commands.add_parser("neighbours", help="show which keys of lookup tables lie near each other")
    parser.add_argument("lookups", type=Path, metavar="LOOKUPS", help="lookups.json of `learn`, or of a package")
    parser.add_argument("key", nargs="*", metavar="KEY", help="default: the most frequent of each table")
    parser.add_argument("--table", type=Path, help="export that merchants' names are taken from")
    parser.add_argument("--nearest", type=int, default=5, help="neighbours of a key (default: 5)")
    parser.add_argument("--keys", type=int, default=10, help="keys of a table, where none is named (default: 10)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> dict:
    """Show and return the neighbours by table and key, nearest first."""
    learned, _ = read_lookups(options.lookups)
    payments = None if options.table is None else read_table(options.table).frame
    found = {}
    for name, table in learned.tables.items():
        keys = [key for key in options.key if key in table.keys] if options.key else table.keys[: options.keys]
        if not keys:
            continue
        names = names_of(table.key, payments)
        found[name] = {key: nearest(table, key, options.nearest) for key in keys}
        console.print(f"\n{name}")
        show_table((table.key, "nearest first", "cosine"), _rows(found[name], names), words=2)
    if not found:
        raise TrainingError(f"{options.lookups} has no {', '.join(options.key)}: it was not seen often enough.")
    return {"neighbours": found}


def nearest(table: LookupTable, key: str, count: int) -> list[tuple[str, float]]:
    """Keys whose vectors make the smallest angles with that of a key, with the cosine."""
    lengths = np.maximum(np.linalg.norm(table.values, axis=1), np.finfo(np.float32).tiny)
    directions = table.values / lengths[:, None]
    place = table.keys.index(key)
    cosine = directions @ directions[place]
    cosine[place] = -np.inf
    order = np.argsort(-cosine, kind="stable")[: min(count, len(cosine) - 1)]
    return [(table.keys[i], round(float(cosine[i]), 3)) for i in order]


def names_of(key: str, payments: pd.DataFrame | None) -> dict[str, str]:
    """Names for people by key; empty where there are none."""
    if payments is None or key not in NAMES:
        return {}
    firsts = payments.dropna(subset=[COLUMN_OF[key], *NAMES[key]]).drop_duplicates(COLUMN_OF[key])
    return dict(zip(firsts[COLUMN_OF[key]], firsts[NAMES[key]].agg(" ".join, axis=1), strict=True))


def _rows(found: dict[str, list[tuple[str, float]]], names: dict[str, str]) -> list[tuple[str, str, str]]:
    def called(key: str) -> str:
        return f"{key} {names[key]}" if key in names else key

    return [
        (called(key) if i == 0 else "", called(other), f"{cosine:.2f}")
        for key, near in found.items()
        for i, (other, cosine) in enumerate(near)
    ]
