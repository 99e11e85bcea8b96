"""Similarity of names: accents, plurals, rare words, and evidence that adds up."""

from __future__ import annotations

import pytest

from connector.domain.matching import (
    KNOWN,
    Matcher,
    Proposal,
    alike,
    closest,
    combined,
    votes,
)
from connector.domain.tree import Node, Tree
from connector.domain.words import folded, stem, stems

TREE = Tree(
    [
        Node("1", "Moda", "", leaf=False),
        Node("11", "Tênis de corrida", "1"),
        Node("12", "Camisetas", "1"),
        Node("13", "Calças e bermudas", "1"),
        Node("2", "Casa", "", leaf=False),
        Node("21", "Cafeteiras", "2"),
        Node("22", "Cama, mesa e banho", "2"),
        Node("3", "Acessórios", "", leaf=False),
        Node("31", "Carregadores", "3"),
        Node("32", "Outros", "3"),
        Node("4", "Pet", "", leaf=False),
        Node("41", "Outros", "4"),
    ]
)


def matcher(tree):
    made = Matcher(tree)
    for _ in made.learn():
        pass
    return made


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Camiseta", "camisetas"),
        ("Cafeteira", "CAFETEIRAS"),
        ("Calça", "Calcas"),
        ("Promoção", "Promoções"),
        ("Animal", "Animais"),
        ("Homem", "Homens"),
        ("Papel", "Papéis"),
        ("shoe", "shoes"),
        ("battery", "batteries"),
        ("reloj", "relojes"),
        ("Ювелирные", "ювелирные"),
    ],
)
def test_number_and_accents_do_not_matter(one, other):
    assert stems(one) == stems(other)


@pytest.mark.parametrize(("one", "other"), [("Cama", "Camiseta"), ("Casa", "Caso"), ("靴", "帽子")])
def test_other_words_stay_other_words(one, other):
    assert (alike(one, other) < 1) == (folded(one) != folded(other))
    assert stem("tv") == "tv"


def test_folded_texts_stay_folded():
    for text in (
        "Ação & Aventura",
        "\uff34\uff36\u3000\uff22\uff4f\uff58",
        "a_b",
        "&",
        "ß Straße",
        "İstanbul",
    ):
        assert folded(folded(text)) == folded(text)
    assert folded("&") == "&"
    assert folded("x" * 500) == "x" * 500


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("Fashion", "Tenis Corrida"), "11"),
        (("Roupas", "Camiseta"), "12"),
        (("Vestuário", "Bermuda"), "13"),
        (("Casa", "Banho"), "22"),
        (("Pet", "Outros"), "41"),
        (("Acessorio", "Outro"), "32"),
    ],
)
def test_the_most_similar_category_is_first(path, expected):
    best = matcher(TREE).best(path)
    assert best[0].id == expected
    assert 0 < best[0].score <= 1
    assert best == sorted(best, key=lambda each: -each.score)


def test_nothing_in_common_is_no_proposal():
    assert matcher(TREE).best(("Automóveis", "Pneus")) == []
    assert matcher(TREE).best(()) == []
    assert matcher(Tree([])).best(("Casa",)) == []


def test_the_same_path_is_certain():
    assert matcher(TREE).best(("Moda", "Camisetas"))[0] == Proposal("12", 1.0, "names 1.00")


def test_a_large_tree_is_searched_by_rare_words():
    nodes = [Node("0", "Geral", "", leaf=False)]
    nodes += [Node(str(n), f"Produto geral {n}", "0") for n in range(1, 20_000)]
    nodes.append(Node("gem", "Produto geral esmeralda", "0"))
    assert matcher(Tree(nodes)).best(("Geral", "Esmeralda"))[0].id == "gem"


def test_values_are_compared_by_words():
    names = {"1": "Azul marinho", "2": "Vermelho"}
    assert closest("azul-marinho", names, 0.6) == Proposal("1", 1.0, "like 'Azul marinho'")
    assert closest("Verde", names, 0.6) is None
    assert closest("Verde", {}, 0.6) is None


def test_votes_count_by_their_share():
    assert votes(["12", "12", "", "11"], KNOWN, "EAN") == [
        Proposal("12", 0.475, "EAN 2 of 4"),
        Proposal("11", 0.237, "EAN 1 of 4"),
    ]
    assert votes([], KNOWN, "EAN") == []


def test_evidence_that_agrees_adds_up():
    found = combined([Proposal("1", 0.5, "a"), Proposal("2", 0.7, "b"), Proposal("1", 0.5, "c")])
    assert found == [Proposal("1", 0.75, "a, c"), Proposal("2", 0.7, "b")]
    assert combined([]) == []
