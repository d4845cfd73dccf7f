"""``weir-training compare``: two model packages side by side on the same rows."""

import argparse
from pathlib import Path

from weir_training.comparison import compare, read_package, require_fit, score
from weir_training.dataset import read_prepared
from weir_training.evaluate import Scored, at_rate
from weir_training.files import to_json, whole_folder
from weir_training.metrics import titled
from weir_training.report import write_comparison
from weir_training.steps.evaluate import add_terms, terms_of
from weir_training.steps.show import console, show_interval, show_table


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "compare",
        help="compare two model packages on the same rows",
        description="Scores the rows of a prepared table with both packages. Writes comparison/comparison.html "
        "and comparison.json into the run folder. Differences are second - first, with intervals over the same "
        "resampled customers.",
    )
    parser.add_argument("first", type=Path, help="folder of a package: what serves now")
    parser.add_argument("second", type=Path, help="folder of a package: what may take its place")
    parser.add_argument("--run", type=Path, required=True, dest="folder", help="run folder of `prepare`")
    parser.add_argument(
        "--period", choices=("train", "validation", "test"), default="test", help="which rows (default: test)"
    )
    add_terms(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> dict:
    """Compare and return what comparison.json holds."""
    prepared = read_prepared(options.folder)
    packages = read_package(options.first), read_package(options.second)
    for package in packages:
        require_fit(package, prepared)
    with console.status("comparing"):
        found = compare(packages, prepared, options.period, terms_of(options))
        rows = getattr(prepared, options.period)
        scored = [Scored.of(rows, score(package, prepared, rows)) for package in packages]
    with whole_folder(options.folder / "comparison", replace=True) as folder:
        (folder / "comparison.json").write_text(to_json(found))
        write_comparison(found, scored, folder)
    _show(found)
    console.print(f"wrote {options.folder / 'comparison' / 'comparison.html'}", markup=False)
    return found


def _show(found: dict) -> None:
    rate = found["terms"]["alert_rate"]
    wanted = ["average_precision", "auc_roc", "card_precision_at_100", "brier", "ece"]
    wanted += [at_rate(name, rate) for name in ("precision", "recall", "value_recall", "saved")]
    rows = (
        (titled(name).title, *(show_interval(metric[key]) for key in ("first", "second", "difference")))
        for name, metric in found["metrics"].items()
        if name in wanted
    )
    show_table(("", *(model["name"] for model in found["models"]), "difference"), rows)
    first, second = (model["name"] for model in found["models"])
    says = {"both": "both alert on", "first": f"only {first} alerts on", "second": f"only {second} alerts on"}
    for name, words in says.items():
        alerts = found["alerts"][name]
        console.print(f"{words} {alerts['payments']:,} payments, {alerts['frauds']:,} of them fraud", markup=False)
    for note in found["notes"]:
        console.print(f"note: {note}", markup=False)
