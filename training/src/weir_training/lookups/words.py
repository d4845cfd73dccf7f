"""Words of free text, cut as serving cuts them."""

import re

_RUNS = re.compile(r"[^\W_]+")


def words_of(text: str) -> list[str]:
    """Lower case runs of letters and digits: `wordsOf` in src/core/features/lookups.ts.

    Examples
    --------
    >>> words_of("Zoë's RENT—flat_12b")
    ['zoë', 's', 'rent', 'flat', '12b']
    """
    return _RUNS.findall(text.lower())


def plain_words_of(text: str) -> list[str]:
    """Without those that have a digit: they name a bill or an account, not a kind of payment."""
    return [word for word in words_of(text) if not any(sign.isnumeric() for sign in word)]
