"""The trees of a package as weir explains with them: doubles, and how many rows went which way."""

import base64
import json

import lightgbm as lgb
import numpy as np

from weir_training.errors import TrainingError

TREES_FILE = "trees.json"
SHOWN = 10
"""Every so manieth golden row has its contributions in the file."""


def trees_file(text: str, golden: np.ndarray) -> bytes:
    """Write trees.json: docs/models.md has the format.

    The graph holds float32 and no counts, which contributions need.

    Parameters
    ----------
    text : str
        LightGBM's own text of the booster.
    golden : ndarray of float32, shape (rows, columns of the part)
        The package's golden rows.
    """
    booster = lgb.Booster(model_str=text)
    rows = list(range(0, len(golden), SHOWN))
    contributions = booster.predict(golden[rows], pred_contrib=True)
    dump = booster.dump_model()
    value = {
        "format": 1,
        "trees": [_tree(info["tree_structure"]) for info in dump["tree_info"]],
        "golden": {
            "rows": rows,
            "contributions": base64.b64encode(contributions.astype("<f8").tobytes()).decode(),
        },
    }
    return (json.dumps(value, separators=(",", ":"), allow_nan=False) + "\n").encode()


def _tree(root: dict) -> dict[str, list]:
    """Nodes in preorder: what goes left from a node is the next one."""
    tree: dict[str, list] = {name: [] for name in ("column", "value", "right", "missing_left", "cover")}

    def add(node: dict) -> None:
        place = len(tree["column"])
        is_leaf = "leaf_value" in node
        tree["column"].append(-1 if is_leaf else node["split_feature"])
        tree["value"].append(node["leaf_value"] if is_leaf else node["threshold"])
        tree["right"].append(0)
        tree["missing_left"].append(0 if is_leaf else int(_missing_left(node)))
        # A tree without a split has no count.
        tree["cover"].append(node.get("leaf_count", 1) if is_leaf else node["internal_count"])
        if not is_leaf:
            add(node["left_child"])
            tree["right"][place] = len(tree["column"])
            add(node["right_child"])

    add(root)
    return tree


def _missing_left(node: dict) -> bool:
    """Tell where NaN goes; where training saw none, LightGBM takes it for 0."""
    if node["decision_type"] != "<=" or node["missing_type"] not in ("None", "NaN"):
        raise TrainingError(
            f"A tree has a split of type {node['decision_type']} with missing as {node['missing_type']}: "
            "weir knows numbers that are at most a threshold, and NaN for missing."
        )
    return node["default_left"] if node["missing_type"] == "NaN" else node["threshold"] >= 0
