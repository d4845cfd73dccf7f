"""``weir-training evaluate``: what was trained, measured on the test rows with intervals, and a report."""

import argparse
from pathlib import Path

from weir_training.dataset import Prepared, read_prepared
from weir_training.errors import TrainingError
from weir_training.evaluate import CARDS_A_DAY, REVIEW_COST, Scored, ranking
from weir_training.evaluation import Terms, evaluation_of
from weir_training.files import to_json, whole_folder
from weir_training.report import write_evaluation
from weir_training.scores import FUSION, Probabilities, known_rows, read_model, read_probabilities, trained
from weir_training.steps.options import add_resampling, number, resampling_of
from weir_training.steps.show import console, show_interval, show_table


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "evaluate",
        help="measure what was trained, with intervals, and write a report",
        description="Measures families and the fusion on the test rows. Writes evaluation/evaluation.html and "
        "evaluation.json into the run folder. Intervals hold 95 of 100 resamples of the customers.",
    )
    parser.add_argument("family", nargs="*", metavar="FAMILY", help="as trained in the run folder (default: all)")
    parser.add_argument("--run", type=Path, required=True, dest="folder", help="run folder")
    parser.add_argument(
        "--detail", metavar="FAMILY", help="the one in front (default: the family that is best on validation)"
    )
    add_terms(parser)
    parser.set_defaults(run=run)


def add_terms(parser: argparse.ArgumentParser) -> None:
    """Add on what terms models are measured."""
    parser.add_argument(
        "--alert-rate",
        type=number(1e-6, 1),
        default=0.01,
        help="share of payments that become alerts (default: 0.01)",
    )
    parser.add_argument(
        "--review-cost",
        type=number(0),
        default=REVIEW_COST,
        help=f"of one alert, in major units of the reference currency (default: {REVIEW_COST:g})",
    )
    add_resampling(parser)


def terms_of(options: argparse.Namespace) -> Terms:
    """Read what `add_terms` added."""
    return Terms(options.alert_rate, options.review_cost, resampling_of(options))


def run(options: argparse.Namespace) -> dict:
    """Measure and return what evaluation.json holds."""
    prepared = read_prepared(options.folder)
    names = list(dict.fromkeys(options.family)) or trained(options.folder)
    titles = {name: read_model(options.folder, name).title for name in names}
    scores = {name: read_probabilities(options.folder, name, prepared) for name in names}
    detail = options.detail or best_on_validation(scores, prepared)
    if detail not in scores:
        raise TrainingError(f"--detail {detail} is not among what is evaluated: {', '.join(names)}.")
    with console.status("measuring") as status:
        evaluation = evaluation_of(
            prepared,
            scores,
            titles,
            detail,
            terms_of(options),
            lambda name: status.update(f"measuring {name}"),
        )
    with whole_folder(options.folder / "evaluation", replace=True) as folder:
        (folder / "evaluation.json").write_text(to_json(evaluation))
        write_evaluation(evaluation, prepared, scores, folder)
    _show(evaluation)
    console.print(f"wrote {options.folder / 'evaluation' / 'evaluation.html'}", markup=False)
    return evaluation


def best_on_validation(scores: dict[str, Probabilities], prepared: Prepared) -> str:
    """Pick the family with the highest average precision there; the fusion was fitted on it and does not count."""
    rows = known_rows(prepared)

    def precision(name: str) -> float:
        scored = Scored.of(rows, scores[name].validation)
        return ranking(scored, scored.once())["average_precision"][0]

    return max((name for name in scores if name != FUSION or len(scores) == 1), key=precision)


def _show(evaluation: dict) -> None:
    shown = {
        "average_precision": "average precision",
        "auc_roc": "AUC-ROC",
        f"card_precision_at_{CARDS_A_DAY}": f"card precision@{CARDS_A_DAY}",
        "recall_at_1.0%": "recall at 1 % alerts",
        "ece": "calibration error",
    }
    rows = (
        (name, *(show_interval(model["metrics"][metric]) for metric in shown))
        for name, model in evaluation["models"].items()
    )
    show_table(("model", *shown.values()), rows)
    for name, lead in evaluation["lead"].items():
        console.print(f"{evaluation['detail']} over {name}: average precision {show_interval(lead)}", markup=False)
