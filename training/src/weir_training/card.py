"""The model card: the package in words."""

from weir_training.metrics import titled

SHOWN_COLUMNS = 15


def write_card(
    manifest: dict,
    parts: list[dict],
    recall_by_type: dict[str, tuple[int, float]],
) -> bytes:
    """Markdown for a person who decides whether to serve the model.

    Parameters
    ----------
    parts : list of dict
        part.json of each.

    References
    ----------
    M. Mitchell et al.: Model Cards for Model Reporting. FAT* 2019.
    """
    periods = manifest["periods"]
    lines = [
        f"# {manifest['name']} {manifest['version']}",
        "",
        f"{manifest['family']}: from {len(manifest['columns'])} features of a payment",
        "and its past to the probability that the payment is fraud.",
        "",
        "## Data",
        "",
        manifest["data"],
        "",
        "| Period | From | To (before) | Transactions | Frauds |",
        "|---|---|---|---:|---:|",
        *(
            f"| {key} | {p['from'][:10]} | {p['to'][:10]} | {p['rows']:,} | {p['frauds']:,} |"
            for key, p in periods.items()
        ),
        "",
        "Between the periods lies the delay of labels. Train and validation use labels as they were known when",
        "the next period began; test uses all that was known at the export. Train fits the model, validation the",
        "calibration (where it is the train period, by scores of models that had not seen the customer), and test",
        "is used for nothing but the figures below.",
        "",
        *_figures(manifest["metrics"], recall_by_type),
        "## Model",
        "",
        *(line for part in parts for line in _part(part, heading=len(parts) > 1)),
        *_fusion(manifest),
        "Risk score: 0 at odds of 1 : 10,000, 50 points double the odds, 999 at a probability of 0.99 and more;",
        "the same for every model.",
        "",
        "## Limits",
        "",
        "- The figures hold for the data above and its fraud. On other data they must be measured again.",
        "- Frauds that nobody reported count as good, in training and in the figures.",
        "- The figures are of one test period. Small differences between models mean nothing:",
        "  `weir-training evaluate` gives intervals.",
        "- It scores a payment, not a person: do not use it to rate customers.",
        "",
    ]
    return "\n".join(lines).encode()


def _figures(metrics: dict[str, float], recall_by_type: dict[str, tuple[int, float]]) -> list[str]:
    return [
        "## Figures on test",
        "",
        "| Metric | Value |",
        "|---|---:|",
        *(f"| {titled(name).title} | {value:.4f} |" for name, value in metrics.items()),
        "",
        "At an alert rate so many of the transactions are alerted on: what is right among them (precision), and",
        "what is found (recall). Account false positives: customers with an alert and no fraud, for each with",
        "both. Saved: 1 - cost / cost without a model.",
        "",
        "| Fraud type | Frauds | Recall at 1 % alerts |",
        "|---|---:|---:|",
        *(f"| {kind} | {count:,} | {recall:.2f} |" for kind, (count, recall) in recall_by_type.items()),
        "",
    ]


def _part(about: dict, *, heading: bool) -> list[str]:
    settings = {name: value for name, value in about["settings"].items() if name != "columns"}
    columns, knots = len(about["columns"]), len(about["calibration"]["x"])
    return [
        *([f"### {about['title']}", ""] if heading else []),
        "Settings: " + ", ".join(f"{name} {value}" for name, value in settings.items()) + ".",
        f"It reads {columns} columns. Calibration: isotonic, {knots} knots.",
        "",
        *_importance(about["importance"]),
    ]


def _fusion(manifest: dict) -> list[str]:
    fusion = manifest["fusion"]
    if fusion is None:
        return []
    return [
        "### Fusion",
        "",
        "Logistic regression on the log-odds of the parts, calibrated again.",
        "",
        "| Part | Weight |",
        "|---|---:|",
        *(f"| {p['name']} | {w:.3f} |" for p, w in zip(manifest["parts"], fusion["weights"], strict=True)),
        f"| intercept | {fusion['intercept']:.3f} |",
        "",
    ]


def _importance(importance: dict[str, float]) -> list[str]:
    if not importance:
        return []
    return [
        "What it goes by, as shares:",
        "",
        "| Feature | Share |",
        "|---|---:|",
        *(f"| {name} | {share:.1%} |" for name, share in list(importance.items())[:SHOWN_COLUMNS]),
        "",
    ]
