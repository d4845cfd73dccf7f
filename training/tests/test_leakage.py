"""What is learnt later than training must not reach a model: not by labels, and not by a column."""

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from conftest import COLUMNS, DAY, make_study, synthetic_table
from weir_training.cli import main
from weir_training.dataset import Rows, read_prepared
from weir_training.families import family
from weir_training.quality import separation
from weir_training.recipe import settings_of


def instant(text: str) -> int:
    return int(np.datetime64(text[:-1], "ms").astype(np.int64))


def write(table: pa.Table, path: Path, columns: list[str] = COLUMNS) -> Path:
    metadata = {"weir.feature_hash": "test0001", "weir.features": json.dumps(columns)}
    pq.write_table(table.replace_schema_metadata(metadata), path)
    return path


def flipped(known_after: int, before: int) -> pa.Table:
    """The table, in which labels of payments before a moment are turned if they became known after another."""
    table = synthetic_table()
    known = table["label_known_time"].to_numpy(zero_copy_only=False)
    turned = (np.nan_to_num(known, nan=0) > known_after) & (table["event_time"].to_numpy() < before)
    assert turned.sum() > 5
    label = table["label"].to_numpy() ^ turned
    return table.set_column(table.column_names.index("label"), "label", pa.array(label))


def learnt(run: Path) -> dict[str, bytes]:
    """All that training and fusing wrote, but for what is measured on test."""
    files = {f"{p.parent.name}/{p.name}": p.read_bytes() for p in run.glob("families/*/model.onnx")}
    files |= {f"{p.parent.name}/{p.name}": p.read_bytes() for p in run.glob("families/*/part.json")}
    fusion = json.loads((run / "fusion/fusion.json").read_text())
    return files | {"fusion": json.dumps([fusion[key] for key in ("parts", "intercept", "weights")]).encode()}


def test_labels_that_became_known_later_change_nothing_that_was_learnt(tmp_path: Path) -> None:
    """Of training what validation's start does not know yet, of validation what test's start does not know yet."""

    def study(name: str, table: pa.Table) -> Path:
        make_study(write(table, tmp_path / "table.parquet"), tmp_path / name, "--delay-days", "2")
        return tmp_path / name

    as_it_is = study("as-it-is", synthetic_table())
    periods = read_prepared(as_it_is).periods
    train, validation = instant(periods["train"]["to"]), instant(periods["validation"]["to"])
    cuts = instant(periods["validation"]["from"]), instant(periods["test"]["from"])
    expected = learnt(as_it_is)
    assert learnt(study("training", flipped(cuts[0], train))) == expected
    assert learnt(study("validation", flipped(cuts[1], validation))) == expected
    # The control: labels that are known two days before the cut do change what is learnt.
    assert learnt(study("control", flipped(cuts[0] - 2 * DAY, train))) != expected


def planted(values: np.ndarray) -> pa.Table:
    return synthetic_table().append_column("planted", pa.array(values.astype(np.float32)))


def test_a_column_that_knows_the_future_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Labels themselves, however they are scaled, turned round or left out."""
    label = synthetic_table()["label"].to_numpy()
    noise = np.random.default_rng(3).random(len(label))
    for values in (label, 5 - 2.0 * label + noise, np.where(label, np.nan, noise)):
        path = write(planted(values), tmp_path / "table.parquet", [*COLUMNS, "planted"])
        assert main(["prepare", "--table", str(path), "--out", str(tmp_path / "run")]) == 1
        assert re.search("planted alone tells fraud", capsys.readouterr().err)
        assert list(tmp_path.iterdir()) == [path]


def test_the_same_column_point_in_time_scores_one_half(tmp_path: Path) -> None:
    """What is known of a payment when it is made is nothing; the column stays, and no model goes by it."""
    table = synthetic_table()
    known = np.nan_to_num(table["label_known_time"].to_numpy(zero_copy_only=False), nan=np.inf)
    in_time = table["label"].to_numpy() & (known <= table["event_time"].to_numpy() - 1)
    path = write(planted(in_time), tmp_path / "table.parquet", [*COLUMNS, "planted"])
    assert main(["prepare", "--table", str(path), "--out", str(tmp_path / "run")]) == 0
    test = read_prepared(tmp_path / "run").test
    assert separation(test.X[:, -1], test.label) == 0.5


def test_a_column_of_labels_not_known_yet_scores_one_half(tmp_path: Path) -> None:
    """Labels that become known after the cut-off, as a column: in training all are good, so none is learnt."""
    table = synthetic_table()
    run = tmp_path / "run"
    assert (
        main(
            [
                "prepare",
                "--table",
                str(write(table, tmp_path / "table.parquet")),
                "--out",
                str(run),
                "--delay-days",
                "2",
            ]
        )
        == 0
    )
    prepared = read_prepared(run)
    cut = instant(prepared.periods["validation"]["from"])

    def only_planted(rows: Rows) -> Rows:
        known_later = (rows.frame["known_time"].to_numpy() > cut) & (rows.frame["fraud_type"].notna().to_numpy())
        return Rows(known_later.astype(np.float32)[:, None], rows.label, rows.frame)

    train, test = only_planted(prepared.train), only_planted(prepared.test)
    assert train.X.sum() > 5
    assert not train.label[train.X[:, 0] > 0].any()
    assert roc_auc_score(test.label, test.X[:, 0]) == 1.0
    for name in ("lightgbm", "logistic"):
        raw = family(name).train(train, None, settings_of(name, {})).raw(test.X)
        assert roc_auc_score(test.label, raw) <= 0.5
