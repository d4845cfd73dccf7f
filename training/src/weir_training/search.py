"""Search for the settings of a family by prequential validation; it goes on where it was left."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from weir_training.dataset import Prepared
from weir_training.errors import TrainingError
from weir_training.families.base import Family, Settings
from weir_training.prequential import Fold, Prequential, days_of, validate
from weir_training.recipe import settings_of
from weir_training.space import Space

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Budget:
    """When a search ends.

    Attributes
    ----------
    trials : int
        In all, those of earlier calls included.
    seconds : float or None
        Of this call; a trial that has begun is finished.
    """

    trials: int
    seconds: float | None = None


@dataclass(frozen=True)
class Task:
    """What is searched.

    Attributes
    ----------
    base : Settings
        Of the first trial, and for whatever is not in the space.
    """

    prepared: Prepared
    kind: Family
    base: Settings
    space: Space
    plan: Prequential
    folds: list[Fold]
    seed: int

    def fingerprint(self) -> str:
        """Name what trials depend on: a search goes on only where all of it is the same."""
        about = {
            "periods": self.prepared.periods,
            "feature_hash": self.prepared.feature_hash,
            "columns": self.prepared.columns,
            "base": self.base.model_dump(),
            "space": {name: choice.model_dump() for name, choice in self.space.items()},
            "folds": [days_of(fold) for fold in self.folds],
            "plan": self.plan.model_dump(),
            "seed": self.seed,
        }
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:12]


def search(task: Task, folder: Path, budget: Budget, progress: Progress) -> optuna.Study:
    """Try settings until the budget is spent; the journal in `folder` keeps each trial.

    Trees of Parzen estimators choose, and one that is behind the median of the others after a fold is given up.
    Chance of a trial depends on the seed and on how many were finished before it, so a search that was interrupted
    goes the way it would have gone.

    References
    ----------
    J. Bergstra et al.: Algorithms for hyper-parameter optimization. NIPS 2011.

    Raises
    ------
    TrainingError
        When the family has no space.
    """
    if not task.space:
        raise TrainingError(
            f"{task.kind.name} has no search space. Name its settings in the recipe: "
            f"search: {{ {task.kind.name}: {{ SETTING: {{ between: [LOW, HIGH] }} }} }}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{task.kind.name}-{task.fingerprint()}.log"
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(path))),
        study_name=task.kind.name,
        direction="maximize",
        load_if_exists=True,
    )
    for trial in study.get_trials(states=(TrialState.RUNNING, TrialState.WAITING)):  # of a call that was cut off
        study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
    began = time.monotonic()
    while (done := len(finished(study))) < budget.trials:
        if budget.seconds is not None and done > 0 and time.monotonic() - began >= budget.seconds:
            break
        progress(f"{task.kind.name}: trial {done + 1} of {budget.trials}{_best(study)}")
        study.sampler = optuna.samplers.TPESampler(seed=task.seed + done, n_startup_trials=8)
        study.pruner = optuna.pruners.MedianPruner(n_startup_trials=5)
        if done == 0:
            study.enqueue_trial({name: getattr(task.base, name) for name in task.space})
        _attempt(task, study)
    return study


def _attempt(task: Task, study: optuna.Study) -> None:
    trial = study.ask()
    values = {name: choice.suggest(name, trial) for name, choice in task.space.items()}
    settings = settings_of(task.kind.name, task.base.model_dump() | values)
    began, precisions = time.monotonic(), []
    state = TrialState.COMPLETE
    for _, precision in validate(task.kind, settings, task.folds, task.prepared.columns):
        precisions.append(precision)
        trial.report(float(np.mean(precisions)), len(precisions))
        if len(precisions) < len(task.folds) and trial.should_prune():
            state = TrialState.PRUNED
            break
    trial.set_user_attr("average_precision", [round(value, 6) for value in precisions])
    trial.set_user_attr("seconds", round(time.monotonic() - began, 2))
    study.tell(trial, float(np.mean(precisions)) if state == TrialState.COMPLETE else None, state=state)


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that were ended, given up ones included."""
    return study.get_trials(states=FINISHED)


def best_settings(task: Task, study: optuna.Study) -> Settings:
    """Give the settings of the best trial."""
    return settings_of(task.kind.name, task.base.model_dump() | study.best_params)


def table(study: optuna.Study) -> list[dict]:
    """Each finished trial: number, state, mean and folds' average precision, seconds, and what was tried."""
    return [
        {
            "family": study.study_name,
            "trial": number,
            "state": "finished" if trial.state == TrialState.COMPLETE else "given up",
            "average_precision": round(float(np.mean(trial.user_attrs["average_precision"])), 6),
            "folds": trial.user_attrs["average_precision"],
            "seconds": trial.user_attrs["seconds"],
            "settings": trial.params,
        }
        for number, trial in enumerate(finished(study))
    ]


def _best(study: optuna.Study) -> str:
    if not study.get_trials(states=(TrialState.COMPLETE,)):
        return ""
    return f", best average precision {study.best_value:.4f}"
