"""Which of a marketplace's categories, attributes and values a store's most probably are. Pure.

Everything here is a proposal with a score of 0..1 and its reason; a person decides.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from connector.domain.tree import Tree
from connector.domain.words import folded, stems

_NAME, _PATH = 0.7, 0.3
"""How much a leaf's own name counts, and how much the whole path."""
_STEMS_ALONE = 0.95
"""Names with the same stems may still be two words (casa, caso): never as good as the same name."""
_MOST_CANDIDATES = 3_000
_BIT = 500
PREDICTED = 0.8
"""Most that the marketplace's own guess from titles counts; what it knows by EAN counts more."""
KNOWN = 0.95


@dataclass(frozen=True, slots=True)
class Proposal:
    """One proposal: what, how sure (0..1), and why in words."""

    id: str
    score: float
    reason: str


@dataclass(frozen=True, slots=True)
class _Entry:
    """One category that takes products, as words."""

    id: str
    name: str
    own: frozenset[str]
    every: frozenset[str]


class Matcher:
    """Finds categories by the similarity of names and paths.

    Rare words count more than common ones, and only categories that share a word are looked at,
    so that a tree of tens of thousands is searched in milliseconds.
    """

    def __init__(self, tree: Tree) -> None:
        self._entries: list[_Entry] = []
        self._postings: dict[str, list[int]] = defaultdict(list)
        self._tree = tree

    def learn(self) -> Iterator[None]:
        """Learn the tree bit by bit: all of a large one takes a second, in which others wait."""
        for at, leaf in enumerate(self._tree.leaves()):
            entry = _entry(self._tree, leaf.id)
            self._entries.append(entry)
            for word in entry.every:
                self._postings[word].append(at)
            if not at % _BIT:
                yield

    def best(self, path: Sequence[str], most: int = 3) -> list[Proposal]:
        """The most similar categories to a path of names, best first."""
        if not path:
            return []
        name, own = folded(path[-1]), stems(path[-1])
        every = own.union(*(stems(each) for each in path))
        scored = []
        for at in self._candidates(own, every):
            entry = self._entries[at]
            same = 1.0 if entry.name == name else _STEMS_ALONE * self._alike(own, entry.own)
            score = _NAME * same + _PATH * self._alike(every, entry.every)
            scored.append((score, entry.id))
        scored.sort(key=lambda pair: (-pair[0], pair[1]))
        return [
            Proposal(found, round(score, 3), f"names {score:.2f}")
            for score, found in scored[:most]
            if score > 0
        ]

    def _candidates(self, own: frozenset[str], every: frozenset[str]) -> set[int]:
        """Categories that share a word, by rare words first; the path's words where no other do."""
        for words in (own, every):
            found: set[int] = set()
            for word in sorted(words, key=lambda each: (self._count(each), each)):
                if found and len(found) + self._count(word) > _MOST_CANDIDATES:
                    break
                found.update(self._postings.get(word, ())[:_MOST_CANDIDATES])
            if found:
                return found
        return set()

    def _count(self, word: str) -> int:
        return len(self._postings.get(word, ()))

    def _weight(self, words: Iterable[str]) -> float:
        total = len(self._entries) + 1
        return sum(math.log(1 + total / (1 + self._count(word))) for word in words)

    def _alike(self, left: frozenset[str], right: frozenset[str]) -> float:
        """The share of common words, weighted by how rare they are."""
        both = self._weight(left) + self._weight(right)
        return 2 * self._weight(left & right) / both if both else 0.0


def _entry(tree: Tree, category: str) -> _Entry:
    path = tree.path(category)
    own = stems(path[-1])
    return _Entry(category, folded(path[-1]), own, own.union(*(stems(name) for name in path)))


def alike(left: str, right: str) -> float:
    """How similar two short names are, 0..1: the share of words they have in common."""
    if folded(left) == folded(right):
        return 1.0
    ours, theirs = stems(left), stems(right)
    every = len(ours) + len(theirs)
    return _STEMS_ALONE * 2 * len(ours & theirs) / every if every else 0.0


def closest(name: str, others: Mapping[str, str], least: float) -> Proposal | None:
    """The most similar of ``others`` (names by id), if it is similar enough."""
    scored = ((alike(name, other), own, other) for own, other in others.items())
    score, own, other = min(scored, key=lambda each: (-each[0], each[1]), default=(0.0, "", ""))
    return Proposal(own, round(score, 3), f"like {other!r}") if score >= least else None


def votes(answers: Sequence[str], most: float, what: str) -> list[Proposal]:
    """What the marketplace answered about single products of one category; empty: it did not know.

    An answer counts by the share of products it was given for, at most ``most``.
    """
    asked = len(answers)
    return [
        Proposal(found, round(most * count / asked, 3), f"{what} {count} of {asked}")
        for found, count in Counter(each for each in answers if each).most_common()
    ]


def combined(evidence: Iterable[Proposal]) -> list[Proposal]:
    """Several kinds of evidence about one category as one list, best first.

    Evidence that agrees adds up: what is left of the doubt is the product of all doubts.
    """
    doubts: dict[str, float] = defaultdict(lambda: 1.0)
    reasons: dict[str, list[str]] = defaultdict(list)
    for each in evidence:
        doubts[each.id] *= 1 - min(max(each.score, 0.0), 1.0)
        reasons[each.id].append(each.reason)
    found = [
        Proposal(own, round(1 - doubt, 3), ", ".join(reasons[own])) for own, doubt in doubts.items()
    ]
    return sorted(found, key=lambda each: (-each.score, each.id))
