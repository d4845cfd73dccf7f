import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import synthetic_table
from weir_training.cli import main
from weir_training.lookups import LEARNERS, learner
from weir_training.lookups.base import LookupTable, read_lookups
from weir_training.lookups.words import plain_words_of
from weir_training.recipe import checked
from weir_training.steps.neighbours import nearest

UNTIL = "2024-10-25"
"""Three weeks into the table."""
NOUNS = {"5411": "Market", "5812": "Restaurant", "5541": "Fuel"}
TOWNS = ("Berlin", "Paris")


def payments(rows: int = 3_000, seed: int = 5) -> pd.DataFrame:
    """Payments of customers who stay in their town: shops of three kinds in each, and one that is seldom seen."""
    rng = np.random.default_rng(seed)
    customer, shop = rng.integers(0, 40, rows), rng.integers(0, 12, rows)
    town = np.array(TOWNS)[customer % 2]
    mcc = np.array(list(NOUNS))[shop % 3]
    names = [f"{'ABCD'[s // 3]} {NOUNS[m]} {t}" for s, m, t in zip(shop, mcc, town, strict=True)]
    frame = pd.DataFrame(
        {
            "customer_id": [f"c-{i}" for i in customer],
            "merchant_id": [f"m-{t}-{s}" for t, s in zip(town, shop, strict=True)],
            "merchant_name": names,
            "mcc": mcc,
            "terminal_id": pd.array([f"t-{t}-{s}" for t, s in zip(town, shop, strict=True)], dtype="str"),
            "channel": "pos",
            "country": np.where(town == "Berlin", "DE", "FR"),
            "currency": "EUR",
            "description": pd.array(
                np.where(shop == 0, None, np.where(shop % 2, "Rent, flat 12b", "bill")), "str"
            ),
            "amount": rng.lognormal(3, 0.5, rows) * (1 + shop % 3),
        }
    )
    frame.loc[[0, 1], "merchant_id"] = "m-rare"
    return frame


def exported(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame] = lambda frame: frame) -> Path:
    """The synthetic table with payments beside its features."""
    table, frame = synthetic_table(3_000), change(payments())
    table = table.set_column(2, "customer_id", pa.array(frame.pop("customer_id"), pa.string()))
    table = table.drop_columns([name for name in table.column_names if name.startswith("tx_")])
    for name, values in frame.items():
        table = table.append_column(f"tx_{name}", pa.array(values, from_pandas=True))
    pq.write_table(table, path)
    return path


def learn(table: Path, out: Path, *extra: str, names: tuple[str, ...] = ("all",)) -> int:
    return main(["learn", *names, "--table", str(table), "--out", str(out), "--until", UNTIL, *extra])


def tables_of(name: str, frame: pd.DataFrame, **settings: object) -> dict[str, LookupTable]:
    of = learner(name)
    learned = of.learn(frame, checked(of.settings, name, settings))
    assert learned is not None
    return learned.tables


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("payments") / "table.parquet")


def test_merchants_of_one_town_lie_near_each_other() -> None:
    (vectors,) = tables_of("merchants", payments()).values()
    for key in vectors.keys[:6]:
        assert {near.split("-")[1] for near, _ in nearest(vectors, key, 5)} == {key.split("-")[1]}


def test_profiles_of_merchants_of_one_kind_lie_near_each_other() -> None:
    (profiles,) = tables_of("content", payments()).values()
    for key in profiles.keys[:6]:
        _, town, shop = key.split("-")
        near = [other for other, _ in nearest(profiles, key, 3)]
        assert {other.split("-")[1] for other in near} == {town}
        assert {int(other.split("-")[2]) % 3 for other in near} == {int(shop) % 3}


@pytest.mark.parametrize("method", ["als", "bpr"])
def test_customers_have_affinity_to_merchants_that_only_their_likes_went_to(method: str) -> None:
    frame = payments()
    unmade = (frame["customer_id"] == "c-0") & frame["merchant_id"].isin([f"m-Berlin-{s}" for s in range(4)])
    customers, merchants = tables_of("affinity", frame[~unmade], method=method, factors=4, epochs=30).values()
    factors = customers.values[customers.keys.index("c-0")]
    of = {key: float(factors @ merchants.values[place]) for place, key in enumerate(merchants.keys)}
    assert min(of[f"m-Berlin-{s}"] for s in range(4)) > max(of[f"m-Paris-{s}"] for s in range(12))


def test_what_is_too_seldom_has_the_default_of_its_table() -> None:
    (vectors,) = tables_of("merchants", payments()).values()
    assert "m-rare" not in vectors.keys
    assert vectors.default is not None
    assert np.abs(vectors.default).max() > 0
    (categories,) = tables_of("categories", payments()).values()
    assert categories.default is None  # none is seldom
    customers, merchants = tables_of("affinity", payments()).values()
    assert customers.default is None
    assert merchants.default is not None
    assert not merchants.default.any()


def test_one_customer_is_enough() -> None:
    frame = payments()
    for name in LEARNERS:
        for table in tables_of(name, frame[frame["customer_id"] == "c-3"], minimum_count=1).values():
            assert np.isfinite(table.values).all()
            assert len(table.keys) == len(table.values)


def test_only_the_most_frequent_keys_are_kept() -> None:
    frame = payments()
    (table,) = tables_of("merchants", frame, most_keys=3).values()
    assert table.keys == frame["merchant_id"].value_counts().head(3).index.tolist()


def test_words_with_digits_are_not_learned() -> None:
    assert plain_words_of("Rent, flat 12b of 2026 — Zoë's") == ["rent", "flat", "of", "zoë", "s"]
    (words,) = tables_of("descriptions", payments()).values()
    assert sorted(words.keys) == ["bill", "flat", "rent"]


def test_the_same_payments_give_the_same_bytes_and_later_ones_change_none(table: Path, tmp_path: Path) -> None:
    def spoilt(frame: pd.DataFrame) -> pd.DataFrame:
        later = pq.read_table(table)["event_time"].to_numpy() >= 1_729_814_400_000
        return frame.assign(merchant_id=frame["merchant_id"].where(~later, "m-later"), mcc="5812")

    command = [sys.executable, "-m", "weir_training", "learn", "all", "--until", UNTIL, "--table", str(table)]
    other = os.environ | {"PYTHONHASHSEED": "1"}
    subprocess.run([*command, "--out", str(tmp_path / "other.json")], env=other, check=True, capture_output=True)
    assert learn(table, tmp_path / "same.json") == 0
    assert (tmp_path / "same.json").read_bytes() == (tmp_path / "other.json").read_bytes()
    names = ("merchants", "terminals", "affinity")
    assert learn(table, tmp_path / "some.json", names=names) == 0
    assert learn(exported(tmp_path / "spoilt.parquet", spoilt), tmp_path / "spoilt.json", names=names) == 0
    assert (tmp_path / "some.json").read_bytes() == (tmp_path / "spoilt.json").read_bytes()


def test_recipes_set_what_is_learned(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("lookups: { merchants: { dimensions: 3, recent: 0 } }")
    out = tmp_path / "lookups.json"
    assert learn(table, out, "--recipe", str(recipe), names=("merchants",)) == 0
    learned, about = read_lookups(out)
    assert [column["name"] for column in learned.columns] == [f"merchant_vector_{i}" for i in range(3)]
    assert about["from"][:10] == "2024-10-04"
    assert about["to"] == f"{UNTIL}T00:00:00Z"
    recipe.write_text("lookups: { merchants: { window: 0 } }")
    assert learn(table, tmp_path / "other.json", "--recipe", str(recipe), names=("merchants",)) == 1
    assert "merchants.window is 0" in capsys.readouterr().err


def test_no_descriptions_are_said_and_the_rest_is_learned(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = exported(
        tmp_path / "table.parquet", lambda frame: frame.assign(description=pd.array([None] * len(frame), "str"))
    )
    assert learn(path, tmp_path / "lookups.json") == 0
    assert "nothing to learn descriptions from" in capsys.readouterr().err
    learned, _ = read_lookups(tmp_path / "lookups.json")
    assert "word_vectors" not in learned.tables
    assert len(learned.tables) == 6


@pytest.mark.parametrize(
    ("change", "extra", "message"),
    [
        (lambda frame: frame.drop(columns="merchant_id"), [], "lacks tx_merchant_id, which merchants needs"),
        (lambda frame: frame, ["--until", "2024-10-04"], "has no payments before --until"),
        (
            lambda frame: frame.assign(merchant_id=[f"m-{i}" for i in range(len(frame))]),
            [],
            "occurs often enough to learn merchants from",
        ),
    ],
)
def test_what_cannot_be_learned_is_one_clear_error(
    change: Callable, extra: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "lookups.json"
    assert learn(exported(tmp_path / "table.parquet", change), out, *extra, names=("merchants",)) == 1
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [tmp_path / "table.parquet"]


def test_neighbours_shows_what_lies_near(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "lookups.json"
    assert learn(table, out, names=("merchants",)) == 0
    assert main(["neighbours", str(out), "m-Paris-3", "--table", str(table), "--nearest", "2"]) == 0
    assert re.search(r"m-Paris-3 B Market Paris 5411 +m-Paris-\d+ \w \w+ Paris", capsys.readouterr().err)
    assert main(["neighbours", str(out), "m-nowhere"]) == 1
    assert "has no m-nowhere" in capsys.readouterr().err


def test_a_file_that_is_there_is_told_before_the_table_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "lookups.json"
    out.write_text("mine")
    assert learn(tmp_path / "none.parquet", out, names=("merchants",)) == 1
    assert "lookups.json is there already" in capsys.readouterr().err
    assert out.read_text() == "mine"


def looked_up(table: Path, path: Path, lookups: str) -> Path:
    """The table as a second export writes it: the columns stand in for looked up ones."""
    read = pq.read_table(table)
    names = [*json.loads(read.schema.metadata[b"weir.features"])]
    for column in json.loads(lookups)["columns"]:
        values = np.random.default_rng(len(names)).random(len(read), dtype=np.float32)
        read = read.append_column(column["name"], pa.array(values))
        names.append(column["name"])
    about = {"weir.features": json.dumps(names), "weir.feature_hash": "test0001", "weir.lookups": lookups}
    pq.write_table(read.replace_schema_metadata(about), path)
    return path


def test_lookups_travel_from_the_table_to_the_package_and_training_begins_after_them(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert learn(table, tmp_path / "lookups.json", names=("affinity",)) == 0
    lookups = (tmp_path / "lookups.json").read_text()
    path = looked_up(table, tmp_path / "looked.parquet", lookups)
    cut = ["--validation-days", "0", "--delay-days", "2"]
    prepare = ["prepare", "--table", str(path), "--out", str(tmp_path / "run"), *cut]
    assert main([*prepare, "--train-start", "2024-10-24"]) == 1
    assert "training may not begin earlier" in capsys.readouterr().err
    assert main(prepare) == 0
    run, out = str(tmp_path / "run"), tmp_path / "looked" / "1.0.0"
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("families: { lightgbm: { trees: 5 } }")
    assert main(["train", "lightgbm", "--run", run, "--recipe", str(recipe)]) == 0
    assert main(["export", "lightgbm", "--run", run, "--out", str(out), "--data", "Rows of a test."]) == 0
    manifest = json.loads((out / "model.json").read_text())
    assert manifest["columns"][-1] == "affinity"
    assert manifest["periods"]["train"]["from"] == f"{UNTIL}T00:00:00Z"
    assert (out / "lookups.json").read_text() == lookups
    assert "lookups.json" in manifest["files"]
    card = (out / "MODEL_CARD.md").read_text()
    assert re.search(r"before 2024-10-25, .*\n?.*customer_factors", card)
