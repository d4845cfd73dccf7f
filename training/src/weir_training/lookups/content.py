"""Content filtering: how like a merchant is to those that the customer went to, by what is known of it."""

import numpy as np
import pandas as pd
from pydantic import Field
from scipy.sparse import csr_matrix
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.preprocessing import normalize

from weir_training.lookups.base import Learned, Learner, LookupSettings, LookupTable
from weir_training.lookups.words import plain_words_of

TRAITS = ("mcc", "channel", "country", "currency")


class ContentSettings(LookupSettings):
    """The profile of a merchant, and the payments that it is compared with."""

    dimensions: int = Field(16, ge=1, le=1024, description="Numbers of a profile, at most.")
    recent: int = Field(10, ge=1, le=256, description="Latest payments of the customer that make the taste.")


class Content(Learner):
    """Profiles of merchants by their own traits: nothing of who went there.

    Traits (category, channels, country, currency, price level, words of the name) are weighted by how few
    merchants have them and then condensed to a few numbers by a singular value decomposition. The customer's taste
    is the mean profile of the latest payments.

    References
    ----------
    M. Pazzani, D. Billsus: Content-based recommendation systems. The Adaptive Web, 2007.
    S. Deerwester et al.: Indexing by latent semantic analysis. JASIS 1990.
    """

    name = "content"
    needs = ("merchant_id", "merchant_name", "amount", *TRAITS)
    settings = ContentSettings

    def learn(self, payments: pd.DataFrame, settings: ContentSettings) -> Learned | None:
        merchants = settings.frequent(payments["merchant_id"])
        traits = traits_of(payments[payments["merchant_id"].isin(merchants)])
        column, names = pd.factorize(traits["trait"], sort=True)
        dimensions = min(settings.dimensions, len(merchants) - 1, len(names) - 1)
        if dimensions < 1:
            return None
        row = pd.Index(merchants).get_indexer(traits["merchant_id"])
        shares = csr_matrix((traits["share"], (row, column)), (len(merchants), len(names)))
        condensed = TruncatedSVD(dimensions, random_state=settings.seed)
        profiles = normalize(condensed.fit_transform(TfidfTransformer().fit_transform(shares)))
        table = LookupTable("merchant_id", merchants, profiles.astype(np.float32))
        text = f"Cosine of the merchant's profile with the mean of the last {settings.recent} payments'."
        cosine = {
            "name": "content_to_recent",
            "description": text,
            "cosine_to_recent": "merchant_profiles",
            "last": settings.recent,
        }
        return Learned({"merchant_profiles": table}, [cosine])


def traits_of(payments: pd.DataFrame) -> pd.DataFrame:
    """Traits of each merchant: `merchant_id`, `trait`, `share` of its payments that have it."""
    by_merchant = payments.groupby("merchant_id", sort=True)
    total = by_merchant.size()
    found = []
    for name in TRAITS:
        counts = payments.groupby(["merchant_id", name], sort=True).size().rename("share").reset_index()
        found.append(
            counts.assign(
                trait=f"{name}=" + counts[name], share=counts["share"] / counts["merchant_id"].map(total)
            )
        )
    price = np.log2(by_merchant["amount"].median().clip(lower=1)).round().astype(int).astype(str)
    found.append(pd.DataFrame({"merchant_id": price.index, "trait": "price=" + price.to_numpy(), "share": 1.0}))
    words = by_merchant["merchant_name"].first().dropna().map(plain_words_of).explode().dropna()
    found.append(
        pd.DataFrame({"merchant_id": words.index, "trait": "word=" + words.to_numpy(dtype=object), "share": 1.0})
    )
    return pd.concat(found)[["merchant_id", "trait", "share"]]
