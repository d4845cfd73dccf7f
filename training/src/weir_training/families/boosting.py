"""Settings that libraries of boosted trees share."""

from pydantic import Field

from weir_training.families.base import ClassifierSettings
from weir_training.space import Space, between


class BoostingSettings(ClassifierSettings):
    """How many trees, and how much each counts."""

    trees: int = Field(200, ge=1, description="Trees, at most.")
    learning_rate: float = Field(0.05, gt=0, le=1, description="Weight of a tree.")
    l2: float = Field(1.0, ge=0, description="Ridge penalty on leaf values.")


TREES: Space = {
    "trees": between(50, 400, log=True),
    "learning_rate": between(0.01, 0.2, log=True),
    "l2": between(0.01, 30.0, log=True),
    "fraud_weight": between(1.0, 10.0, log=True),
}
"""What a search tries with each of the libraries."""


class LeafWiseSettings(BoostingSettings):
    """Trees that grow where it pays most, whatever their depth."""

    leaves: int = Field(15, ge=2, description="Leaves of a tree.")
    min_rows_in_leaf: int = Field(50, ge=1, description="Rows that a leaf holds at least.")


class DrawingSettings(BoostingSettings):
    """Trees that see a share of rows and columns, and may end early."""

    column_share: float = Field(0.8, gt=0, le=1, description="Share of the columns that a tree may look at.")
    row_share: float = Field(1.0, gt=0, le=1, description="Share of the rows that a tree learns from.")
    l1: float = Field(0.0, ge=0, description="Lasso penalty on leaf values.")
    early_stopping: int = Field(
        0, ge=0, description="Rounds without progress on validation that end it; 0: never."
    )
