"""What a parameter search may try."""

from typing import Annotated, Any

import optuna
from pydantic import BaseModel, ConfigDict, Field, model_validator


class Between(BaseModel):
    """Numbers from the first to the second, both included; whole ones when both are whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    between: tuple[int, int] | tuple[float, float]
    log: bool = Field(False, description="Whether powers are equally likely, instead of numbers.")

    @model_validator(mode="after")
    def _in_order(self) -> "Between":
        low, high = self.between
        if not low < high or (self.log and low <= 0):
            raise ValueError("between should be a lower and a higher number, above 0 with log")
        return self

    def suggest(self, name: str, trial: optuna.Trial) -> float:
        """Let the trial choose."""
        low, high = self.between
        choose = trial.suggest_int if isinstance(low, int) and isinstance(high, int) else trial.suggest_float
        return choose(name, low, high, log=self.log)

    def __contains__(self, value: object) -> bool:
        low, high = self.between
        return isinstance(value, int | float) and low <= value <= high


class Among(BaseModel):
    """One of several values."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    among: Annotated[list[bool | int | float | str], Field(min_length=1)]

    def suggest(self, name: str, trial: optuna.Trial) -> Any:  # noqa: ANN401 (whatever the setting is)
        """Let the trial choose."""
        return trial.suggest_categorical(name, self.among)

    def __contains__(self, value: object) -> bool:
        return value in self.among


Space = dict[str, Between | Among]
"""By setting."""


def between(low: float, high: float, *, log: bool = False) -> Between:
    """Write a range shortly."""
    return Between(between=(low, high), log=log)
