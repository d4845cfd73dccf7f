"""What each metric is called and means, wherever people read it."""

from dataclasses import dataclass

from weir_training.evaluate import CARDS_A_DAY


@dataclass(frozen=True)
class Metric:
    """A metric for people.

    Attributes
    ----------
    name : str
        As in evaluation.json.
    share : bool
        Whether it is shown as a percentage.
    better : int
        1: more is better; -1: less is; 0: neither.
    """

    name: str
    title: str
    meaning: str
    share: bool = False
    better: int = 1


METRICS = (
    Metric(
        "average_precision",
        "Average precision",
        "Share of alerts that are right, as a mean over all shares of frauds found.",
    ),
    Metric(
        "auc_roc",
        "AUC-ROC",
        "How often a fraud has a higher score than a good payment; 0.5 is chance. High wherever fraud is rare.",
    ),
    Metric("precision_at", "Alerts right", "Precision: share of alerts that are fraud.", share=True),
    Metric("recall_at", "Frauds found", "Recall: share of frauds that are alerted on.", share=True),
    Metric(
        "account_false_positives_at",
        "Account false positives",
        "Customers with an alert and no fraud, for each customer with an alert and a fraud.",
        better=-1,
    ),
    Metric("value_recall_at", "Value found", "Share of the amount of fraud that is alerted on.", share=True),
    Metric(
        "saved_at",
        "Cost saved",
        "1 - cost / cost without a model. An alert costs a review, a missed fraud its amount.",
        share=True,
    ),
    Metric(
        f"card_precision_at_{CARDS_A_DAY}",
        f"Card precision@{CARDS_A_DAY}",
        f"Share of defrauded customers among a day's {CARDS_A_DAY} most suspicious, as a mean over days; who was "
        "found is left out on later days.",
    ),
    Metric("fraud_rate", "Share of fraud", "Of all payments.", share=True, better=0),
    Metric("brier", "Brier score", "Mean squared error of the probability.", better=-1),
    Metric(
        "ece",
        "Calibration error",
        "Mean distance between probability and share of fraud, over ten bins of equally many payments.",
        better=-1,
    ),
    Metric("alert_rate", "Alerted at the threshold", "Share of payments that reach it.", share=True, better=0),
    Metric(
        "accuracy",
        "Accuracy at the threshold",
        "Share of payments judged right. Whoever alerts on nothing has 1 - share of fraud.",
        share=True,
    ),
    Metric("precision", "Alerts right at the threshold", "Precision.", share=True),
    Metric("recall", "Frauds found at the threshold", "Recall.", share=True),
    Metric("f1", "F1 at the threshold", "Harmonic mean of precision and recall."),
)


def titled(name: str) -> Metric:
    """Find the metric of a name, whose alert rate goes into the title."""
    for metric in METRICS:
        if name == metric.name:
            return metric
        if metric.name.endswith("_at") and name.startswith(metric.name + "_"):
            rate = name.removeprefix(metric.name + "_").replace(".0%", "%").replace("%", " %")
            return Metric(name, f"{metric.title} at {rate} alerts", metric.meaning, metric.share, metric.better)
    raise KeyError(name)


def figure_of(value: float, name: str) -> str:
    """Write a value of a metric."""
    if titled(name).share:
        exact = name in ("fraud_rate", "alert_rate", "accuracy")
        return f"{100 * value:.2f} %" if exact else f"{round(100 * value):d} %"
    if name.startswith("account_false_positives"):
        return f"{value:.1f}"
    return f"{value:.4f}" if name in ("brier", "ece") else f"{value:.3f}"
