"""Word2Vec: vectors of merchants, categories, terminals and words from the order of customers' payments."""

from typing import ClassVar, Literal

import numpy as np
import pandas as pd
from gensim.models import Word2Vec
from pydantic import Field

from weir_training.lookups.base import COLUMN_OF, Learned, Learner, LookupSettings, LookupTable
from weir_training.lookups.words import plain_words_of

RARE = ""
"""Stands for every key that is too seldom; no key is empty."""
LONGEST = 10_000
"""Longest sequence that gensim reads; it drops the rest of a longer one without a word."""


class VectorSettings(LookupSettings):
    """The size of the vectors and how they are learned."""

    dimensions: int = Field(8, ge=1, le=1024, description="Numbers of a vector; each is a column.")
    algorithm: Literal["skip-gram", "cbow"] = Field(
        "skip-gram", description="Foretell the payments around from one, or one from those around."
    )
    window: int = Field(5, ge=1, description="Payments (or words) before and after that count as around.")
    negative: int = Field(5, ge=1, description="Keys drawn at random that each pair is told apart from.")
    epochs: int = Field(10, ge=1, description="Passes over the payments.")
    learning_rate: float = Field(0.025, gt=0, description="At the start; it falls in a straight line to near 0.")
    subsampling: float = Field(
        0.001, ge=0, description="Share of payments above which a key is at times left out; 0: never."
    )


class SequenceSettings(VectorSettings):
    """The same of what the kept payments of a customer have."""

    recent: int = Field(
        10, ge=0, le=256, description="Latest payments that a column compares with; 0: no such column."
    )


class _Vectors(Learner):
    """Vectors of what one column of the payments holds.

    Keys that occur among the same others lie near each other: merchants that the same people go to.

    References
    ----------
    T. Mikolov et al.: Distributed representations of words and phrases and their compositionality. NIPS 2013.
    O. Barkan, N. Koenigstein: Item2Vec. MLSP 2016.
    """

    key: ClassVar[str]
    table: ClassVar[str]
    column: ClassVar[str]
    settings = SequenceSettings

    def keys_of(self, seen: pd.DataFrame) -> pd.DataFrame:
        """Rows of `customer_id`, `key` out of those of `customer_id` and what the payment holds."""
        return seen

    def learn(self, payments: pd.DataFrame, settings: VectorSettings) -> Learned | None:
        source = COLUMN_OF[self.key]
        seen = self.keys_of(payments[["customer_id", source]].rename(columns={source: "key"}).dropna())
        keys = settings.frequent(seen["key"])
        if not keys:
            return None
        known = seen["key"].isin(keys)
        sequences = (
            seen.assign(key=seen["key"].where(known, RARE)).groupby("customer_id", sort=True)["key"].agg(list)
        )
        vectors = word2vec(sequences, settings)
        # Of a description only the words that are known count.
        unseen = None if self.key == "word" else vectors.get(RARE)
        table = LookupTable(self.key, keys, np.array([vectors[key] for key in keys]), unseen)
        return Learned({self.table: table}, self._columns(settings))

    def _columns(self, settings: VectorSettings) -> list[dict]:
        what = self.column.replace("_", " ")
        columns = [
            {
                "name": f"{self.column}_vector_{i}",
                "description": f"Component {i} of the vector of the {what}, learned from sequences of payments.",
                "table": self.table,
                "component": i,
            }
            for i in range(settings.dimensions)
        ]
        recent = getattr(settings, "recent", 0) if self.key in ("merchant_id", "mcc") else 0
        if recent > 0:
            columns.append(
                {
                    "name": f"{self.column}_vector_to_recent",
                    "description": f"Cosine of the {what}'s vector with the mean of the last {recent} payments'.",
                    "cosine_to_recent": self.table,
                    "last": recent,
                }
            )
        return columns


def word2vec(sequences: pd.Series, settings: VectorSettings) -> dict[str, np.ndarray]:
    """Learn a vector of every key; one thread, so that the same sequences give the same bits."""
    parts = [sequence[i : i + LONGEST] for sequence in sequences for i in range(0, len(sequence), LONGEST)]
    model = Word2Vec(
        parts,
        vector_size=settings.dimensions,
        sg=int(settings.algorithm == "skip-gram"),
        window=settings.window,
        negative=settings.negative,
        epochs=settings.epochs,
        alpha=settings.learning_rate,
        sample=settings.subsampling,
        min_count=1,
        seed=settings.seed,
        workers=1,
    )
    return {key: model.wv.vectors[place] for key, place in model.wv.key_to_index.items()}


class Merchants(_Vectors):
    """Vectors of merchants."""

    name = "merchants"
    needs = ("merchant_id",)
    key, table, column = "merchant_id", "merchant_vectors", "merchant"


class CategorySettings(SequenceSettings):
    """There are few categories."""

    dimensions: int = Field(4, ge=1, le=1024, description="Numbers of a vector; each is a column.")
    subsampling: float = Field(0.0, ge=0, description=VectorSettings.model_fields["subsampling"].description)


class Categories(_Vectors):
    """Vectors of merchant category codes."""

    name = "categories"
    needs = ("mcc",)
    settings = CategorySettings
    key, table, column = "mcc", "category_vectors", "mcc"


class Terminals(_Vectors):
    """Vectors of terminals."""

    name = "terminals"
    needs = ("terminal_id",)
    settings = VectorSettings
    key, table, column = "terminal_id", "terminal_vectors", "terminal"


class DescriptionSettings(VectorSettings):
    """Descriptions are short."""

    dimensions: int = Field(4, ge=1, le=1024, description="Numbers of a vector; each is a column.")
    subsampling: float = Field(0.0, ge=0, description=VectorSettings.model_fields["subsampling"].description)


class Descriptions(_Vectors):
    """Vectors of words; a description's vector is the mean of those of its words.

    Many descriptions are one word, which alone has nothing around it: the descriptions of a customer are read one
    after the other.
    """

    name = "descriptions"
    needs = ("description",)
    settings = DescriptionSettings
    key, table, column = "word", "word_vectors", "description"

    def keys_of(self, seen: pd.DataFrame) -> pd.DataFrame:
        return seen.assign(key=seen["key"].map(plain_words_of)).explode("key").dropna()
