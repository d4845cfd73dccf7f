"""Reproduce the published baselines of the Fraud Detection Handbook on features that weir exported.

From the repository root, with the Handbook's transactions as CSV:

    weir export FILE --map handbook --features training/studies/handbook-published.yaml --out published.parquet
    training/.venv/bin/python training/studies/handbook.py --table published.parquet --out scores

References
----------
Le Borgne, Siblini, Lebichot, Bontempi: Reproducible Machine Learning for Credit Card Fraud Detection - Practical
Handbook, 2022: chapter 3, baseline feature transformation and baseline fraud detection system.
"""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

from weir_training.dataset import Rows
from weir_training.evaluate import CARDS_A_DAY, evaluate
from weir_training.split import DAY
from weir_training.steps.show import show_table
from weir_training.table import Table, read_table

TRAIN_DAYS = DELAY_DAYS = TEST_DAYS = 7
SHOWN = ("auc_roc", "average_precision", f"card_precision_at_{CARDS_A_DAY}")

MODELS: dict[str, ClassifierMixin] = {
    "logistic regression": LogisticRegression(random_state=0),
    "decision tree, depth 2": DecisionTreeClassifier(max_depth=2, random_state=0),
    "decision tree": DecisionTreeClassifier(random_state=0),
    "random forest": RandomForestClassifier(random_state=0, n_jobs=2),
    # The defaults of the version that the book used: later ones take histograms and another start.
    "xgboost": XGBClassifier(random_state=0, n_jobs=2, tree_method="exact", base_score=0.5),
}
"""Defaults, as published; all columns are scaled first."""


def published_columns(table: Table) -> pd.DataFrame:
    """Make the fifteen columns of the book of weir's.

    The book's windows of the customer include the payment itself, its night ends at 6:59, and a terminal without
    payments has a risk of 0. What stays different: windows are of whole tiles, of an hour for the customer's
    7 and 30 days and of ten minutes for the terminal.
    """
    x = pd.DataFrame(table.features, columns=table.columns)
    columns = {"amount": x["amount"], "weekend": x["weekend"], "night": (x["hour"] <= 6).astype(np.float32)}
    for window in ("24h", "7d", "30d"):
        count = x[f"customer_count_{window}"] + 1
        columns[f"customer_count_{window}"] = count
        columns[f"customer_mean_{window}"] = (x[f"customer_sum_{window}"] + x["amount"]) / count
        columns[f"terminal_count_{window}"] = x[f"terminal_count_{window}"]
        columns[f"terminal_risk_{window}"] = x[f"terminal_risk_{window}"].fillna(0)
    return pd.DataFrame(columns)


def test_rows(table: Table, train_start: int) -> np.ndarray:
    """Places of the test rows: those of a day, less the cards whose frauds were known the day before.

    Known are the frauds of the training period, and those of every day up to the delay and a day before.
    """
    customer = table.frame["customer_id"].to_numpy(dtype=str)
    known = set(customer[_days(table, train_start, TRAIN_DAYS) & table.label])
    places = []
    for day in range(TEST_DAYS):
        known |= set(customer[_days(table, train_start + (TRAIN_DAYS + day - 1) * DAY, 1) & table.label])
        of_day = np.flatnonzero(_days(table, train_start + (TRAIN_DAYS + DELAY_DAYS + day) * DAY, 1))
        places.append(of_day[~np.isin(customer[of_day], list(known))])
    return np.concatenate(places)


def _days(table: Table, start: int, days: int) -> np.ndarray:
    return (table.event_time >= start) & (table.event_time < start + days * DAY)


def main() -> None:
    """Train, measure, print; write a CSV of scores a model where a folder is given."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--table", type=Path, required=True, help="export with studies/handbook-published.yaml")
    parser.add_argument("--train-start", default="2018-07-25", help="first day of training, YYYY-MM-DD")
    parser.add_argument("--out", type=Path, help="folder for the scores")
    options = parser.parse_args()
    table = read_table(options.table)
    start = int(datetime.strptime(options.train_start, "%Y-%m-%d").replace(tzinfo=UTC).timestamp() * 1000)
    X = published_columns(table)
    train, test = np.flatnonzero(_days(table, start, TRAIN_DAYS)), test_rows(table, start)
    print(f"{len(train):,} rows to train on, {table.label[train].sum()} frauds", file=sys.stderr)
    print(f"{len(test):,} rows to test on, {table.label[test].sum()} frauds", file=sys.stderr)
    frame = table.frame.iloc[test].assign(event_time=table.event_time[test]).reset_index(drop=True)
    tested = Rows(X.iloc[test].to_numpy(np.float32), table.label[test], frame, list(X))
    rows = []
    for name, model in MODELS.items():
        fitted = make_pipeline(StandardScaler(), model).fit(X.iloc[train], table.label[train])
        score = fitted.predict_proba(X.iloc[test])[:, 1]
        metrics = evaluate(tested, score)
        rows.append((name, *(f"{metrics[shown]:.3f}" for shown in SHOWN)))
        if options.out is not None:
            options.out.mkdir(parents=True, exist_ok=True)
            scores = pd.DataFrame({"transaction_id": frame["transaction_id"], "score": score})
            scores.to_csv(options.out / f"{name.replace(', ', ' ').replace(' ', '-')}.csv", index=False)
    show_table(("model", *(shown.replace("_", " ") for shown in SHOWN)), rows)


if __name__ == "__main__":
    main()
