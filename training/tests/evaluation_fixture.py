"""The decisions and the metrics that weir's own tests of evaluation compare with: run from the repository root.

The decisions are written once, the metrics are those of scikit-learn and of the Handbook's definition of card
precision; `test_evaluation_fixture.py` computes them again from the file.
"""

import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import metrics

FOLDER = Path("test/fixtures/evaluation")
ROWS, CUSTOMERS, DAYS = 3_000, 240, 14
DAY = 86_400_000
START = 1_767_571_200_000  # 2026-01-05
THRESHOLDS = (0.35, 0.5, 0.7)
"""Least scores of challenge, review and decline."""
CARDS = 20
MONEY_ROWS = 1_000
"""The first rows, on which money is added up to the cent."""
NAMES = ("champion", "challenger")


def make_decisions() -> pd.DataFrame:
    """Two weeks of two candidates; the champion's scores have two digits, so that many are equal."""
    rng = np.random.default_rng(20260105)
    fraud = rng.random(ROWS) < 0.05
    champion = np.round(np.where(fraud, rng.beta(2, 3, ROWS), rng.beta(1, 8, ROWS)), 2)
    challenger = np.where(fraud, rng.beta(3, 3, ROWS), rng.beta(1, 9, ROWS))
    if len(np.unique(challenger)) < ROWS:
        raise SystemExit("the challenger's scores must differ: card precision leaves ties to the sort")
    frame = pd.DataFrame({"event_time": np.sort(START + rng.integers(0, DAYS * DAY, ROWS))})
    frame["customer"] = rng.integers(0, CUSTOMERS, ROWS)
    frame["amount"] = np.round(rng.lognormal(3, 1.2, ROWS), 2)
    frame["fraud"] = fraud.astype(int)
    for name, score in zip(NAMES, (champion, challenger), strict=True):
        frame[f"{name}_score"] = score
        frame[f"{name}_outcome"] = np.searchsorted(THRESHOLDS, score, side="right")
    return frame


def card_precision(frame: pd.DataFrame, score: str) -> float:
    """Mean over days; by day a customer has the highest score, and one that was found is left out afterwards."""
    found: set[int] = set()
    shares = []
    for _, day in frame.groupby(frame["event_time"] // DAY):
        left = day[~day["customer"].isin(found)].groupby("customer")[[score, "fraud"]].max()
        top = left.sort_values(score, ascending=False).head(CARDS)
        hits = set(top.index[top["fraud"] == 1])
        shares.append(len(hits) / CARDS)
        found |= hits
    return float(np.mean(shares))


def expected(frame: pd.DataFrame) -> dict[str, object]:
    """What the metrics of each candidate must be, as they are and with a weight for each customer."""
    fraud = frame["fraud"].to_numpy()
    result: dict[str, object] = {"cards": CARDS, "money": money(frame.head(MONEY_ROWS))}
    for name in NAMES:
        score, flagged = frame[f"{name}_score"].to_numpy(), frame[f"{name}_outcome"].to_numpy() > 0
        weights = {"plain": np.ones(len(frame)), "weighted": (frame["customer"] % 4).to_numpy()}
        of = {key: measured(fraud, score, flagged, weight) for key, weight in weights.items()}
        of["plain"]["card_precision"] = card_precision(frame, f"{name}_score") if name == "challenger" else None
        false_positive_rate, recall, _ = metrics.roc_curve(fraud, score, drop_intermediate=False)
        precision, recall_of_precision, _ = metrics.precision_recall_curve(fraud, score)
        of["roc"] = {"false_positive_rate": false_positive_rate.tolist(), "recall": recall.tolist()}
        of["precision_recall"] = {"precision": precision.tolist(), "recall": recall_of_precision.tolist()}
        result[name] = of if name == "champion" else {key: of[key] for key in weights}
    return result


def measured(fraud: np.ndarray, score: np.ndarray, flagged: np.ndarray, weight: np.ndarray) -> dict[str, float]:
    w = {"sample_weight": weight}
    (true_negatives, false_positives), _ = metrics.confusion_matrix(fraud, flagged, **w)
    return {
        "auc_roc": metrics.roc_auc_score(fraud, score, **w),
        "average_precision": metrics.average_precision_score(fraud, score, **w),
        "brier": metrics.brier_score_loss(fraud, score, **w),
        "precision": metrics.precision_score(fraud, flagged, **w),
        "recall": metrics.recall_score(fraud, flagged, **w),
        "f1": metrics.f1_score(fraud, flagged, **w),
        "accuracy": metrics.accuracy_score(fraud, flagged, **w),
        "insult_rate": false_positives / (true_negatives + false_positives),
    }


def money(frame: pd.DataFrame) -> dict[str, str]:
    """Add up as one would on paper, in decimals."""
    rows = list(frame.assign(amount=frame["amount"].map("{:.2f}".format)).to_dict("records"))
    sums = {}
    for name in NAMES:
        other = NAMES[1 - NAMES.index(name)]
        flagged, declined = f"{name}_outcome", 3
        picked = {
            "fraud_value_caught": [r for r in rows if r["fraud"] and r[flagged]],
            "fraud_value_missed": [r for r in rows if r["fraud"] and not r[flagged]],
            "good_value_declined": [r for r in rows if not r["fraud"] and r[flagged] == declined],
            "good_value_challenged": [r for r in rows if not r["fraud"] and 0 < r[flagged] < declined],
            "only_fraud": [r for r in rows if r["fraud"] and r[flagged] and not r[f"{other}_outcome"]],
            "only_good": [r for r in rows if not r["fraud"] and r[flagged] and not r[f"{other}_outcome"]],
        }
        for key, some in picked.items():
            sums[f"{name}.{key}"] = str(sum((Decimal(r["amount"]) for r in some), Decimal("0.00")))
    return sums


def read_decisions() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "decisions.csv")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    make_decisions().to_csv(FOLDER / "decisions.csv", index=False)
    text = json.dumps(expected(read_decisions()), indent=1)
    (FOLDER / "expected.json").write_text(f"{text}\n")
