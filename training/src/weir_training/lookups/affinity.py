"""Collaborative filtering: factors of customers and merchants whose dot product says how well they go together."""

from typing import Literal

import numpy as np
import pandas as pd
from implicit.cpu.als import AlternatingLeastSquares
from implicit.cpu.bpr import BayesianPersonalizedRanking
from pydantic import Field
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from weir_training.lookups.base import Learned, Learner, LookupSettings, LookupTable


class AffinitySettings(LookupSettings):
    """The factorisation of the matrix of customers x merchants."""

    method: Literal["als", "bpr"] = Field(
        "als", description="Alternating least squares, or Bayesian personalised ranking."
    )
    factors: int = Field(16, ge=1, le=1000, description="Numbers of a customer and of a merchant.")
    epochs: int = Field(15, ge=1, description="Rounds (als: both sides solved once).")
    regularisation: float = Field(0.1, ge=0, description="Ridge penalty on factors.")
    confidence: float = Field(
        1.0, gt=0, description="als: weight of a payment that was made, against 1 of one that never was."
    )
    learning_rate: float = Field(0.05, gt=0, description="bpr: of stochastic gradient descent.")


class Affinity(Learner):
    """How well a merchant goes with a customer, by what the customers of like merchants did.

    A customer that was never seen has no affinity to anything (missing); a merchant that was never seen has that
    of one that nobody goes to: 0, which is what least squares give an empty column.

    References
    ----------
    Y. Hu, Y. Koren, C. Volinsky: Collaborative filtering for implicit feedback datasets. ICDM 2008.
    S. Rendle et al.: BPR: Bayesian personalized ranking from implicit feedback. UAI 2009.
    """

    name = "affinity"
    needs = ("merchant_id",)
    settings = AffinitySettings

    def learn(self, payments: pd.DataFrame, settings: AffinitySettings) -> Learned | None:
        customers = settings.frequent(payments["customer_id"])
        merchants = settings.frequent(payments["merchant_id"])
        row = pd.Index(customers).get_indexer(payments["customer_id"])
        column = pd.Index(merchants).get_indexer(payments["merchant_id"])
        both = (row >= 0) & (column >= 0)
        if not both.any():
            return None
        payments_made = csr_matrix(
            (np.ones(both.sum(), dtype=np.float32), (row[both], column[both])), (len(customers), len(merchants))
        )
        with threadpool_limits(limits=1, user_api="blas"):
            model = factorise(payments_made, settings)
        tables = {
            "customer_factors": LookupTable("customer_id", customers, model.user_factors),
            "merchant_factors": LookupTable(
                "merchant_id", merchants, model.item_factors, np.zeros(model.item_factors.shape[1])
            ),
        }
        text = "How well the merchant goes with the customer: dot product of their factors."
        dot = {"name": "affinity", "description": text, "dot": list(tables)}
        return Learned(tables, [dot])


def factorise(
    payments_made: csr_matrix, settings: AffinitySettings
) -> AlternatingLeastSquares | BayesianPersonalizedRanking:
    """Fit on one thread: the order of sums, and of updates, is part of the result."""
    common = {
        "factors": settings.factors,
        "iterations": settings.epochs,
        "regularization": settings.regularisation,
        "num_threads": 1,
        "random_state": settings.seed,
    }
    if settings.method == "als":
        model = AlternatingLeastSquares(alpha=settings.confidence, **common)
    else:
        model = BayesianPersonalizedRanking(learning_rate=settings.learning_rate, **common)
    model.fit(payments_made, show_progress=False)
    return model
