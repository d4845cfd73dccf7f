import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, f1_score, roc_auc_score

from conftest import synthetic_table
from weir_training.bootstrap import Resampling, difference, drawn
from weir_training.cli import main
from weir_training.dataset import Rows
from weir_training.evaluate import Scored, calibration, card_precision, confusion, ranking
from weir_training.metrics import titled
from weir_training.split import DAY


def some_rows(rows: int = 4_000, seed: int = 0) -> tuple[Rows, np.ndarray]:
    """Rows of 300 customers over a week, and rounded probabilities, so that many are equal."""
    rng = np.random.default_rng(seed)
    label = rng.random(rows) < 0.03
    probability = np.round(np.where(label, rng.beta(2, 3, rows), rng.beta(1, 8, rows)), 2)
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{i}" for i in rng.integers(0, 300, rows)],
            "event_time": np.sort(rng.integers(0, 7 * DAY, rows)),
            "amount": rng.lognormal(3, 1, rows),
        }
    )
    return Rows(np.zeros((rows, 1), np.float32), label, frame), probability


def test_resampled_metrics_are_those_of_scikit_learn_with_weights() -> None:
    scored = Scored.of(*some_rows())
    weights = np.concatenate([scored.once(), *Resampling(3).weights(scored)])
    found = ranking(scored, weights) | calibration(scored, weights) | confusion(scored, weights, 0.3)
    for i, weight in enumerate(weights[:, scored.customer]):
        of = {"sample_weight": weight}
        expected = {
            "average_precision": average_precision_score(scored.label, scored.probability, **of),
            "auc_roc": roc_auc_score(scored.label, scored.probability, **of),
            "brier": brier_score_loss(scored.label, scored.probability, **of),
            "f1": f1_score(scored.label, scored.probability >= 0.3, **of),
        }
        for name, value in expected.items():
            assert found[name][i] == pytest.approx(value, abs=1e-12), name


def test_what_an_alert_budget_buys_counted_by_hand() -> None:
    label = np.zeros(1_000, dtype=bool)
    label[[0, 2, 500]] = True
    frame = pd.DataFrame({"customer_id": [f"c{i}" for i in range(1_000)], "event_time": 0, "amount": 10.0})
    frame.loc[0, "amount"] = 80.0
    frame.loc[1, "customer_id"] = "c0"
    scored = Scored.of(Rows(np.zeros((1_000, 1)), label, frame), np.linspace(1, 0, 1_000))
    found = {name: value[0] for name, value in ranking(scored, scored.once(), review_cost=2.0).items()}
    assert found["precision_at_0.5%"] == 2 / 5
    assert found["recall_at_0.5%"] == 2 / 3
    assert found["value_recall_at_0.5%"] == pytest.approx(90 / 100)
    assert found["saved_at_0.5%"] == pytest.approx(1 - (10 + 5 * 2) / 100)
    assert found["account_false_positives_at_0.5%"] == 2 / 2  # c3 and c4 beside c0 and c2


def plain_card_precision(rows: Rows, probability: np.ndarray, cards: int) -> float:
    """As the words say: a day at a time, with sets."""
    frame = rows.frame.assign(day=rows.frame["event_time"] // DAY, score=probability, fraud=rows.label)
    found: set[str] = set()
    shares = []
    for _, day in frame.groupby("day"):
        left = day[~day["customer_id"].isin(found)].groupby("customer_id")[["score", "fraud"]].max()
        top = left.sort_values("score", ascending=False).head(cards)
        hit = set(top.index[top["fraud"]])
        shares.append(len(hit) / cards)
        found |= hit
    return float(np.mean(shares))


def test_card_precision_leaves_out_who_was_found() -> None:
    rows, probability = some_rows()
    probability = probability + np.random.default_rng(1).random(len(probability)) / 1e3  # no ties
    scored = Scored.of(rows, probability)
    for cards in (5, 20, 100):
        expected = plain_card_precision(rows, probability, cards)
        assert card_precision(scored, scored.once(), cards)[0] == pytest.approx(expected)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """Precision of a fixed threshold over fresh samples: the truth is known, and customers bring several rows."""
    inside = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        of_customer = rng.beta(2, 2, 100)
        label = rng.random((100, 5)) < of_customer[:, None]
        frame = pd.DataFrame({"customer_id": np.repeat(np.arange(100), 5).astype(str), "event_time": 0})
        scored = Scored.of(Rows(np.zeros((500, 1)), label.ravel(), frame), np.ones(500))
        values = drawn(scored, lambda s, w: confusion(s, w, 0.5), Resampling(200, seed))["precision"]
        low, high = np.quantile(values[1:], [0.025, 0.975])
        inside += low <= 0.5 <= high
    assert 88 <= inside <= 100


def test_a_paired_difference_is_narrower_than_its_parts_and_none_against_itself() -> None:
    rows, probability = some_rows()
    other = probability + np.random.default_rng(2).normal(0, 0.02, len(probability))
    first, second = (
        drawn(Scored.of(rows, p), ranking, Resampling(200))["average_precision"] for p in (probability, other)
    )
    found = difference(first, second)
    assert found["high"] - found["low"] < np.ptp(np.quantile(first[1:], [0.025, 0.975])) / 2
    assert difference(first, first) == {"value": 0.0, "low": 0.0, "high": 0.0, "beyond_chance": False}


def test_evaluate_writes_figures_and_one_page(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    run = shutil.copytree(study, tmp_path / "run")
    assert main(["--json", "evaluate", "--run", str(run), "--resamples", "60", "--alert-rate", "0.02"]) == 0
    evaluation = json.loads((run / "evaluation/evaluation.json").read_text())
    assert json.loads(capsys.readouterr().out) == evaluation
    assert set(evaluation["models"]) == {"lightgbm", "logistic", "isolation", "fusion"}
    scores = pd.read_parquet(run / "families/lightgbm/scores.parquet").query("period == 'test'")
    model = evaluation["models"]["lightgbm"]
    expected = average_precision_score(scores["label"], scores["probability"])
    assert model["metrics"]["average_precision"]["value"] == pytest.approx(expected, abs=1e-6)
    for name, found in model["metrics"].items():
        assert titled(name).title
        assert found["low"] <= found["high"], name
    assert {"recall_at_2.0%", "saved_at_2.0%", "card_precision_at_100", "f1"} <= set(model["metrics"])
    assert set(model["segments"]) == {"amount", "channel"}
    assert sum(group["rows"] for group in model["segments"]["channel"]) == evaluation["period"]["rows"]
    assert [one["scenario"] for one in model["scenarios"]] == ["mule", "stolen"]
    assert sum(bin_["rows"] for bin_ in model["calibration"]) == evaluation["period"]["rows"]
    page = (run / "evaluation/evaluation.html").read_text()
    assert page.count("<svg") > 10
    assert not re.search(r'(?:src|href)="(?!#)', page)  # nothing is fetched
    before = page
    assert main(["evaluate", "--run", str(run), "--resamples", "60", "--alert-rate", "0.02"]) == 0
    assert (run / "evaluation/evaluation.html").read_text() == before


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda scores: scores.assign(probability=np.nan), "scores rows with what is no number"),
        (lambda scores: scores[::-1], "are of other rows"),
    ],
)
def test_scores_that_do_not_fit_are_refused(spoil, message, study, tmp_path, capsys) -> None:  # noqa: ANN001
    run = shutil.copytree(study, tmp_path / "run")
    path = run / "families/logistic/scores.parquet"
    spoil(pd.read_parquet(path)).to_parquet(path, index=False)
    assert main(["evaluate", "--run", str(run)]) == 1
    assert message in capsys.readouterr().err
    assert not (run / "evaluation").exists()


def test_what_was_not_trained_is_told(study: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["evaluate", "svm", "--run", str(study)]) == 1
    assert "has no trained svm" in capsys.readouterr().err
    assert main(["evaluate", "lightgbm", "--detail", "forest", "--run", str(study)]) == 1
    assert "--detail forest is not among" in capsys.readouterr().err


def test_a_run_without_validation_rows_amounts_and_kinds_of_fraud_is_measured_too(tmp_path: Path) -> None:
    table = synthetic_table(12_000).drop_columns(["tx_amount", "tx_channel"])
    kinds = pa.array([None] * len(table), pa.string())
    table = table.set_column(table.column_names.index("fraud_type"), "fraud_type", kinds)
    pq.write_table(table, tmp_path / "table.parquet")
    run, recipe = tmp_path / "run", tmp_path / "recipe.yaml"
    recipe.write_text("families: { lightgbm: { trees: 10 }, logistic: {} }")
    for step in (
        ["prepare", "--table", str(tmp_path / "table.parquet"), "--out", str(run), "--validation-days", "0"],
        ["train", "lightgbm", "logistic", "--run", str(run), "--recipe", str(recipe)],
        ["fuse", "all", "--run", str(run), "--resamples", "20", "--strength", "0.1"],
        ["evaluate", "--run", str(run), "--resamples", "20"],
    ):
        assert main(step) == 0
    model = json.loads((run / "evaluation/evaluation.json").read_text())["models"]["fusion"]
    assert [one["scenario"] for one in model["scenarios"]] == ["unknown"]
    assert not any(name.startswith(("value", "saved")) for name in model["metrics"])
    assert model["metrics"]["alert_rate"]["value"] == pytest.approx(0.01, abs=0.006)
