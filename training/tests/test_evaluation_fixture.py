import json
from pathlib import Path

import pytest

import evaluation_fixture

ROOT = Path(__file__).parents[2]


def test_what_weir_compares_its_metrics_with_is_what_scikit_learn_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    committed = json.loads((evaluation_fixture.FOLDER / "expected.json").read_text())
    again = evaluation_fixture.expected(evaluation_fixture.read_decisions())
    assert (again["cards"], again["money"]) == (committed["cards"], committed["money"])
    for name in evaluation_fixture.NAMES:
        for key, values in again[name].items():
            for metric, value in values.items():
                assert committed[name][key][metric] == pytest.approx(value, abs=1e-12), (name, key, metric)


def test_the_decisions_are_those_that_the_script_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    made, committed = evaluation_fixture.make_decisions(), evaluation_fixture.read_decisions()
    assert made["fraud"].tolist() == committed["fraud"].tolist()
    for column in made:
        assert made[column].to_numpy() == pytest.approx(committed[column].to_numpy(), rel=1e-12), column
