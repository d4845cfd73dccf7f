"""Turn labels of the Handbook's payments, and count the feature rows that change.

No feature of a payment at or before a moment may change with labels that become known after it; with one that was
known before, some do. From the repository root, with the Handbook's transactions as CSV; ends with 1 on a leak:

    training/.venv/bin/python training/studies/leakage.py transactions.csv.gz
"""

import argparse
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from weir_training.split import instant
from weir_training.steps.prepare import day
from weir_training.steps.show import show_table
from weir_training.table import Table, read_table

DELAY = pd.Timedelta(days=7)
"""Until a label becomes known: mappings/handbook.yaml."""
DAYS_AFTER = 8
"""So many days after the moment are exported, too: labels that were turned become known on the way."""


def turned(payments: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """Take fraud for honest and honest for fraud in some rows."""
    label = payments["TX_FRAUD"].to_numpy(dtype=str)
    return payments.assign(TX_FRAUD=np.where(rows, np.where(label == "1", "0", "1"), label))


def export(payments: pd.DataFrame, weir: list[str], folder: Path) -> Table:
    """Export features as they are served."""
    source, table = folder / "payments.csv", folder / "table.parquet"
    payments.to_csv(source, index=False)
    features = ["--set", "features=features-handbook.yaml"]
    subprocess.run([*weir, *features, "export", source, "--map", "handbook", "--out", table], check=True)
    return read_table(table)


def changed(before: Table, after: Table) -> np.ndarray:
    """Rows of which a feature has other bits."""
    if not before.frame["transaction_id"].equals(after.frame["transaction_id"]):
        raise SystemExit("The exports hold other payments: nothing can be compared.")
    return (before.features.view(np.uint32) != after.features.view(np.uint32)).any(axis=1)


def main() -> int:
    """Export three times, count, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("transactions", type=Path, help="CSV of the Handbook's payments")
    parser.add_argument("--moment", type=day, default="2018-04-16", help="YYYY-MM-DD (default: 2018-04-16)")
    parser.add_argument("--weir", type=shlex.split, default="node src/main.js", help="how to run weir")
    options = parser.parse_args()
    payments = pd.read_csv(options.transactions, dtype=str)
    time = pd.to_datetime(payments["TX_DATETIME"])
    moment = pd.Timestamp(options.moment, unit="ms")
    within = time < moment + pd.Timedelta(days=DAYS_AFTER)
    payments, known = payments[within], (time[within] + DELAY).to_numpy()
    first = np.arange(len(payments)) == 0
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        as_it_is = export(payments, options.weir, Path(folder))
        at_or_before = as_it_is.event_time <= options.moment
        for name, which in (("every one known after", known > moment), ("the first one", first)):
            differs = changed(as_it_is, export(turned(payments, which), options.weir, Path(folder)))
            rows.append(
                (name, int(which.sum()), int(differs[at_or_before].sum()), int(differs[~at_or_before].sum()))
            )
    print(
        f"{at_or_before.sum():,} rows at or before {instant(options.moment)}, {(~at_or_before).sum():,} after it"
    )
    show_table(
        ("labels turned", "labels", "rows changed at or before", "rows changed after"),
        ((name, *(f"{number:,}" for number in numbers)) for name, *numbers in rows),
    )
    (_, _, leaked, seen), (_, _, control, _) = rows
    if leaked == 0 and seen > 0 and control > 0:
        return 0
    print(
        "A label reached a feature before it was known." if leaked else "Labels reach no feature.", file=sys.stderr
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
