"""Reports for people: pages that stand alone, in one house style (templates/)."""

from pathlib import Path

from jinja2 import Environment, PackageLoader

from weir_training import plots
from weir_training.dataset import Prepared
from weir_training.evaluate import CARDS_A_DAY, Scored, at_rate
from weir_training.metrics import METRICS, figure_of, titled
from weir_training.scores import Probabilities

MAIN = ("auc_roc", f"card_precision_at_{CARDS_A_DAY}", "recall_at_1.0%", "value_recall_at_1.0%", "ece")
"""Metrics beside average precision where models are compared."""


def render(template: str, **values: object) -> str:
    """Fill a template of the package; everything is escaped."""
    environment = Environment(
        loader=PackageLoader("weir_training"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "percent": lambda share: f"{100 * share:.2f} %",
        "rate": lambda share: f"{100 * share:g} %",
        "thousands": lambda number: f"{number:,}",
        "as_metric": figure_of,
    }
    return environment.get_template(template).render(**values) + "\n"


def write_evaluation(evaluation: dict, prepared: Prepared, scores: dict[str, Probabilities], folder: Path) -> None:
    """Write evaluation.html."""
    detail, models = evaluation["detail"], evaluation["models"]
    scored = {name: Scored.of(prepared.test, found.test) for name, found in scores.items()}
    colours = plots.colours_of(models, detail)
    bins = {name: model["calibration"] for name, model in models.items()}
    drawn = {
        "roc": plots.roc(scored, colours),
        "precision_recall": plots.precision_recall(scored, colours),
        "gains": plots.gains(scored, colours),
        "calibration": plots.calibration(bins, colours, detail),
        "histograms": plots.histograms(scored, colours, detail),
    }
    behind = {name: model for name, model in models.items() if name != detail}
    recalls = [[(s["recall"]["value"], colours[name]) for s in m["scenarios"]] for name, m in behind.items()]
    every = [titled(name) for name in models[detail]["metrics"]]
    page = render(
        "evaluation.html",
        **evaluation,
        found=models[detail]["metrics"][at_rate("recall", evaluation["terms"]["alert_rate"])]["value"],
        tiles=_tiles(evaluation, scored[detail]),
        colours=colours,
        plots=drawn,
        most=min(1.0, 1.1 * max(model["metrics"]["average_precision"]["high"] for model in models.values())),
        main=[metric for metric in every if metric.name in MAIN],
        every=every,
        meant=METRICS,
        others=list(zip(*recalls, strict=True)) or [()] * len(models[detail]["scenarios"]),
    )
    (folder / "evaluation.html").write_text(page)


def _tiles(evaluation: dict, scored: Scored) -> list[dict[str, str]]:
    rate = evaluation["terms"]["alert_rate"]
    metrics = evaluation["models"][evaluation["detail"]]["metrics"]
    days = len(set(scored.day.tolist()))

    def tile(name: str, says: str) -> dict[str, str]:
        found = metrics[name]
        if found["value"] is None:
            return {"value": "none", "says": says, "more": ""}
        low, high = figure_of(found["low"], name), figure_of(found["high"], name)
        return {"value": figure_of(found["value"], name), "says": says, "more": f"{low} to {high}"}

    alerts = {
        "value": f"{rate * len(scored.label) / days:,.0f}",
        "says": "alerts a day",
        "more": f"over {days} days",
    }
    shown = [
        (at_rate("recall", rate), "of frauds found"),
        (at_rate("value_recall", rate), "of the amount of fraud found"),
        (at_rate("precision", rate), "of alerts are right"),
        (at_rate("account_false_positives", rate), "good customers alerted on per defrauded one"),
        (at_rate("saved", rate), "of the cost saved"),
    ]
    return [alerts, *(tile(name, says) for name, says in shown if name in metrics)]


def write_optimisation(result: dict, folder: Path) -> None:
    """Write optimisation.html."""
    families = result["families"]
    colours = plots.colours_of(families, result["chosen"])
    settings = {
        name: {key: value for key, value in found["settings"].items() if key not in ("columns", "seed")}
        for name, found in families.items()
    }
    trials = {name: [trial for trial in result["trials"] if trial["family"] == name] for name in families}
    page = render(
        "optimisation.html",
        **result,
        colours=colours,
        best=settings,
        by_family={
            name: sorted(of, key=lambda trial: (trial["state"] != "finished", -trial["average_precision"]))
            for name, of in trials.items()
        },
        plots={
            "history": plots.search_history(trials, colours),
            "columns": {
                name: plots.selection(found["sets"], len(found["columns"]), colours[name])
                for name, found in result["selections"].items()
            },
        },
        most=min(1.0, 1.1 * max(found["average_precision"]["high"] for found in families.values())),
    )
    (folder / "optimisation.html").write_text(page)


def write_comparison(found: dict, scored: list[Scored], folder: Path) -> None:
    """Write comparison.html."""
    names = [model["name"] for model in found["models"]]
    names[1] += " (second)" if names[0] == names[1] else ""
    colours = plots.colours_of(names, names[1])
    both = dict(zip(names, scored, strict=True))
    metrics = found["metrics"]
    page = render(
        "comparison.html",
        **found,
        names=names,
        colours=colours,
        rows=[(titled(name), metric, _reach(metric["difference"])) for name, metric in metrics.items()],
        lead=metrics["average_precision"]["difference"],
        meant=METRICS,
        plots={
            "gains": plots.gains(both, colours),
            "precision_recall": plots.precision_recall(both, colours),
            "histograms": plots.histograms(both, colours, names[1]),
        },
    )
    (folder / "comparison.html").write_text(page)


def _reach(found: dict) -> float:
    """Half the width of an axis around 0 that holds the interval."""
    return 1.15 * max(abs(found["low"] or 0), abs(found["high"] or 0), 1e-9)
