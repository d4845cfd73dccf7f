"""Plots of the reports, as SVG to stand inside a page."""

import io
from collections.abc import Callable, Iterable
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

from weir_training.calibrate import risk_scores, score_map
from weir_training.evaluate import ALERT_RATES, Scored

INK, FAINT, FRONT = "#1c2733", "#8a97a5", "#c2410c"
COLOURS = ("#1d4e89", "#2a9d8f", "#d99a26", "#7b5ea7", "#5c6b73", "#b0587a", "#3a7d44", "#8d6e63", "#4a9bc4")
"""Of the models behind the one in front."""
MOST_POINTS = 400
_STYLE = {
    "svg.hashsalt": "weir",  # the same numbers give the same bytes
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],  # comes with matplotlib; the page puts its own in its place
    "font.size": 9.5,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "axes.grid": True,
    "grid.color": "#e7ebf0",
    "axes.axisbelow": True,
    "lines.linewidth": 1.5,
}

Line = tuple[np.ndarray, np.ndarray]


def colours_of(names: Iterable[str], front: str) -> dict[str, str]:
    """Give each model its colour on every page."""
    behind = [name for name in names if name != front]
    return {front: FRONT} | {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(behind)}


def svg(draw: Callable[[Figure], None], width: float = 4.6, height: float = 3.5) -> str:
    """Draw a figure, in inches, and give its SVG element."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def roc(scored: dict[str, Scored], colours: dict[str, str]) -> str:
    """Frauds found against good payments alerted on."""

    def line(of: Scored) -> Line:
        good = np.cumsum(~of.label)
        return good / good[-1], np.cumsum(of.label) / of.label.sum()

    def dress(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=FAINT, linestyle=":", linewidth=1)
        axes.set(xlabel="share of good payments alerted on", ylabel="share of frauds found")
        _percent(axes.xaxis, axes.yaxis)

    return _lines(scored, colours, line, dress)


def precision_recall(scored: dict[str, Scored], colours: dict[str, str]) -> str:
    """Alerts that are right against frauds found."""

    def line(of: Scored) -> Line:
        hits = np.cumsum(of.label)
        return hits / hits[-1], hits / np.arange(1, len(hits) + 1)

    def dress(axes: Axes) -> None:
        axes.set(xlabel="share of frauds found (recall)", ylabel="share of alerts that are right (precision)")
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        _percent(axes.xaxis, axes.yaxis)

    return _lines(scored, colours, line, dress)


def gains(scored: dict[str, Scored], colours: dict[str, str]) -> str:
    """Frauds found against payments looked at."""

    def line(of: Scored) -> Line:
        return np.arange(1, len(of.label) + 1) / len(of.label), np.cumsum(of.label) / of.label.sum()

    def dress(axes: Axes) -> None:
        axes.set_xscale("log")
        for rate in ALERT_RATES:
            axes.axvline(rate, color=FAINT, linestyle=":", linewidth=1)
        axes.set(xlabel="share of payments looked at", ylabel="share of frauds found", xlim=(2e-4, 1))
        axes.set_xticks([0.001, 0.005, 0.01, 0.05, 0.2, 1])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.1%}" if x < 0.01 else f"{x:.0%}"))
        _percent(axes.yaxis)

    return _lines(scored, colours, line, dress)


def calibration(bins: dict[str, list[dict]], colours: dict[str, str], front: str) -> str:
    """Observed share of frauds against the probability, both on logarithmic axes; an interval for the front."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for name, found in _front_last(bins, front):
            shown = [one for one in found if one["observed"]["value"] and one["expected"] > 0]
            x, y = [one["expected"] for one in shown], [one["observed"]["value"] for one in shown]
            axes.plot(x, y, color=colours[name], marker="o", markersize=4 if name == front else 2.5, alpha=0.9)
            if name == front:
                low = [max(one["observed"]["low"] or 0, one["observed"]["value"] / 20) for one in shown]
                axes.vlines(
                    x, low, [one["observed"]["high"] for one in shown], color=FRONT, alpha=0.35, linewidth=5
                )
        low, high = min(axes.get_xlim()[0], 1e-4), 1.2
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.plot([max(low, 1e-5), 1], [max(low, 1e-5), 1], color=FAINT, linestyle=":", linewidth=1)
        axes.set(xlim=(1e-5, high), ylim=(1e-5, high))
        axes.set(xlabel="probability that the model gives", ylabel="share that was fraud")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:g} %"))

    return svg(draw)


def histograms(scored: dict[str, Scored], colours: dict[str, str], front: str) -> str:
    """Risk scores of frauds and of other payments, one panel a model, the front first."""
    names = [front, *(name for name in scored if name != front)]
    columns = min(3, len(names))
    lines = -(-len(names) // columns)

    def draw(figure: Figure) -> None:
        panels = np.ravel(figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True))
        for axes, name in zip(panels, names, strict=False):
            score = risk_scores(score_map(), scored[name].probability)
            edges, label = np.arange(0, 1001, 40), scored[name].label
            axes.hist(score[~label], edges, color="#c9d3dd", label="good")
            axes.hist(score[label], edges, histtype="stepfilled", color=colours[name], alpha=0.85, label="fraud")
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}"))
            axes.set_title(name, fontsize=10, loc="left", color=colours[name], fontweight="bold")
        for axes in panels[len(names) :]:
            axes.set_visible(False)
        figure.supxlabel("risk score (grey: good payments; colour: frauds)", fontsize=9.5)
        figure.supylabel("payments", fontsize=9.5)

    return svg(draw, 9.4, 0.6 + 2.2 * lines)


def search_history(trials: dict[str, list[dict]], colours: dict[str, str]) -> str:
    """Average precision of each trial, and the best so far as a line; a trial that was given up is hollow."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for name, of in trials.items():
            values = np.array([trial["average_precision"] for trial in of])
            whole = np.array([trial["state"] == "finished" for trial in of])
            number = np.arange(1, len(of) + 1)
            best = np.maximum.accumulate(np.where(whole, values, -np.inf))
            axes.plot(number, best, color=colours[name], drawstyle="steps-post")
            axes.scatter(number[whole], values[whole], s=20, color=colours[name], alpha=0.8)
            axes.scatter(number[~whole], values[~whole], s=16, facecolors="none", edgecolors=colours[name])
        axes.set(xlabel="trial", ylabel="mean average precision of its folds")

    return svg(draw, 9.4, 3.4)


def selection(sets: list[dict], chosen: int, colour: str) -> str:
    """Average precision by number of columns: the folds as points, their mean as a line."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        sizes = [one["columns"] for one in sets]
        for values in zip(*(one["folds"] for one in sets), strict=True):
            axes.plot(sizes, values, color=FAINT, marker="o", markersize=3, linewidth=0.7)
        axes.plot(sizes, [one["average_precision"] for one in sets], color=colour, marker="o", markersize=5)
        axes.axvline(chosen, color=colour, linestyle=":", linewidth=1.2)
        axes.set(xlabel="columns", ylabel="average precision")
        axes.set_ylim(bottom=0)

    return svg(draw)


def _lines(
    scored: dict[str, Scored],
    colours: dict[str, str],
    line: Callable[[Scored], Line],
    dress: Callable[[Axes], None],
) -> str:
    front = next(iter(colours))

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for name, of in _front_last(scored, front):
            x, y = _thinned(*line(of), of.label)
            width = 2.2 if name == front else 1.2
            axes.plot(x, y, color=colours[name], linewidth=width, alpha=1 if name == front else 0.8)
        dress(axes)

    return svg(draw)


def _thinned(x: np.ndarray, y: np.ndarray, label: np.ndarray) -> Line:
    """Keep points around frauds, where a curve turns, and of these as many as a page shows."""
    frauds = np.flatnonzero(label)
    turns = np.unique(np.concatenate([[0], frauds, np.maximum(frauds - 1, 0), [len(x) - 1]]))
    kept = turns[np.unique(np.linspace(0, len(turns) - 1, MOST_POINTS).astype(int))]
    return x[kept], y[kept]


def _front_last(of: dict[str, Any], front: str) -> list[tuple[str, Any]]:
    return [*((name, value) for name, value in of.items() if name != front), (front, of[front])]


def _percent(*axes: Any) -> None:  # noqa: ANN401 (matplotlib's axis)
    for axis in axes:
        axis.set_major_formatter(PercentFormatter(1, 0))
