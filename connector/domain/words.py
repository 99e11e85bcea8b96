"""Comparing names across languages and spellings: folded texts, words, stems. Pure."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+")
_ENDINGS = (("oes", "ao"), ("aes", "ao"), ("ies", "y"), ("ais", "al"), ("eis", "el"), ("ns", "m"))
"""Plurals that change more than their last letter (Portuguese, English)."""
_SHORTEST = 4
_FILLER = frozenset(
    {
        *("a", "as", "e", "o", "os", "de", "da", "do", "das", "dos", "em", "para", "com", "y"),
        *("el", "la", "las", "los", "del", "en", "con", "and", "for", "of", "the", "with", "or"),
        *("et", "le", "les", "des", "du", "pour", "und", "mit", "fur", "i", "oraz", "il", "di"),
    }
)


_LONG = 200
"""Longer texts are no names, and not worth remembering."""


def folded(text: str) -> str:
    """A text without letter case, accents, punctuation and doubled spaces.

    Letters that have no accent to lose stay (Greek, Chinese): another script is no reason for two
    names to be the same.
    """
    return _folded(text) if len(text) <= _LONG else _fold(text)


def _fold(text: str) -> str:
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    letters = "".join(each for each in plain if not unicodedata.combining(each))
    words = _WORD.findall(letters)
    return " ".join(words) if words else text.strip().casefold()


_folded = lru_cache(maxsize=65_536)(_fold)


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """A folded word without its number and gender, as far as endings tell."""
    if len(word) < _SHORTEST or not word.isascii() or not word.isalpha():
        return word
    for plural, single in _ENDINGS:
        if word.endswith(plural) and len(word) > len(plural) + 2:  # not "shoes"
            word = word[: -len(plural)] + single
            break
    else:
        word = word.removesuffix("s")
    return word[:-1] if len(word) > 3 and word[-1] in "aeo" else word


def stems(text: str) -> frozenset[str]:
    """The stems of a text's words, without those that mean nothing by themselves."""
    words = folded(text).split()
    telling = [word for word in words if word not in _FILLER] or words
    return frozenset(stem(word) for word in telling)
