import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.vtex.errors import ErrorDetail, normalise_code
from connector.vtex.reactions import DECISIVE, REACTIONS, ReactionKind, react, reaction_to

K = ReactionKind
FMT = [*range(1, 13), 14, 15, 16, 17, *range(21, 27), *range(29, 68), *range(70, 80),
       *range(84, 87), *range(88, 102), 103, 104]  # fmt: skip
CHK = [
    "003",
    "0022",
    "0023",
    "0024",
    "0025",
    "0032",
    "0040",
    "0062",
    "0069",
    "0085",
    "0090",
    "0091",
    "0092",
    "0093",
    "0095",
    "0099",
    "0105",
    "0107",
    "0108",
    "0110",
    "0119",
    "0120",
    "0126",
    "0127",
    "0131",
    "0144",
    "0145",
    "0146",
    "0150",
    "0154",
    "0161",
    "0162",
    "0171",
    "0175",
    "0184",
    "0198",
    "0199",
    "0200",
    "0201",
    "0202",
    "0246",
    "0248",
    "0251",
    "0252",
    "0256",
    "0257",
    "0258",
    "0259",
    "0262",
    "0264",
    "0270",
    "0272",
    "0280",
    "00308",
    "00310",
    "00311",
    "00317",
]
ORD = [
    "002",
    "005",
    "006",
    "007",
    "008",
    "009",
    "012",
    "013",
    "014",
    "015",
    "015.1",
    "015.5",
    "021",
    "021.1",
    "021.4",
    "021.5",
    "022",
    "023",
    "024",
    "025",
    "026",
    "027",
    "028",
    "029",
    "030",
    "031",
    "038",
    "039",
    "044",
    "045",
    "046",
    "047",
    "048",
    "050",
    "054",
    "056",
]
CODES = [
    *(f"SOI{n:03d}" for n in (1, 2, 3)),
    *(f"EOI{n:03d}" for n in range(12)),
    *(f"FMT{n}" for n in FMT),
    *(f"CHK{n}" for n in CHK),
    *(f"ORD{n}" for n in ORD),
    "OMS003",
]


def details(*codes):
    return [ErrorDetail(normalise_code(code), "texto") for code in codes]


@pytest.mark.parametrize("code", CODES)
def test_every_code_a_connector_can_meet_has_a_reaction(code):
    reaction = reaction_to(normalise_code(code))
    assert reaction is not None
    assert reaction.say[0].isupper()
    assert reaction.say.endswith(".")


def test_all_ninety_fmt_codes_are_there():
    assert sum(code.startswith("FMT") for code in REACTIONS) == 90


def test_codes_are_spelled_as_they_are_looked_up():
    assert all(normalise_code(code) == code for code in REACTIONS)
    assert set(DECISIVE) == set(ReactionKind)
    with pytest.raises(TypeError):
        REACTIONS["FMT001"] = None


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("SOI001", K.OK), ("SOI002", K.OK), ("SOI003", K.QUEUED),
        ("EOI000", K.ASK_PERSON), ("EOI001", K.ASK_PERSON), ("EOI002", K.REFUSE),
        ("EOI003", K.DIVERGENCE), ("EOI004", K.REFUSE), ("EOI005", K.REFUSE), ("EOI006", K.RETRY),
        ("EOI007", K.EXISTS), ("EOI008", K.NOT_YET), ("EOI009", K.WAIT), ("EOI010", K.RETRY),
        ("EOI011", K.WAIT), ("FMT0007", K.DIVERGENCE), ("CHK0198", K.DIVERGENCE),
        ("FMT009", K.EXISTS), ("CHK0085", K.EXISTS), ("FMT0060", K.CANCELLED_BEFORE),
        ("ORDER027", K.REFUSE), ("ORD015.2", K.RETRY), ("FMT0056", K.WAIT), ("OMS003", K.WAIT),
        ("CHK00310", K.RETRY), ("FMT0022", K.ASK_PERSON), ("FMT0051", K.RETRY),
        ("ORD021.3", K.RETRY), ("ORD021.5", K.ASK_PERSON),
    ],
)  # fmt: skip
def test_reactions_of_note(code, kind):
    verdict = react(400, details(code))
    assert verdict.kind is kind
    assert verdict.codes == (normalise_code(code),)
    assert bool(verdict.reasons) == (kind not in {K.OK, K.QUEUED})


@pytest.mark.parametrize(
    ("codes", "kind"),
    [
        (["EOI001", "FMT0060"], K.CANCELLED_BEFORE),
        (["EOI001", "FMT009"], K.EXISTS),
        (["EOI001", "FMT0051"], K.RETRY),
        (["EOI000", "FMT005"], K.REFUSE),
        (["EOI001", "XYZ99"], K.ASK_PERSON),
        (["EOI005", "FMT0045", "FMT009"], K.EXISTS),
        (["FMT0051", "FMT005"], K.REFUSE),
        (["FMT007", "FMT005"], K.REFUSE),
        (["FMT0021", "FMT005"], K.ASK_PERSON),
        (["EOI006", "FMT0060"], K.CANCELLED_BEFORE),
    ],
)
def test_the_most_decisive_code_wins(codes, kind):
    assert react(400, details(*codes)).kind is kind
    assert react(400, details(*reversed(codes))).kind is kind


@pytest.mark.parametrize(
    ("status", "codes", "kind"),
    [
        (200, [], K.OK), (201, [], K.OK), (200, ["??"], K.ASK_PERSON), (400, [], K.REFUSE),
        (400, ["1"], K.REFUSE), (409, ["NEW1"], K.REFUSE), (429, [], K.RETRY), (408, [], K.RETRY),
        (500, [], K.RETRY), (503, ["1"], K.RETRY), (302, [], K.RETRY), (401, [], K.ASK_PERSON),
        (404, [], K.ASK_PERSON), (500, ["FMT0060"], K.CANCELLED_BEFORE),
    ],
)  # fmt: skip
def test_the_status_decides_where_no_code_is_known(status, codes, kind):
    assert react(status, details(*codes)).kind is kind


def test_reasons_say_what_to_do_and_what_vtex_said():
    verdict = react(400, [ErrorDetail(normalise_code("FMT5"), "Item 15 indisponível")])
    (reason,) = verdict.reasons
    assert reason.startswith("FMT005: An item cannot be sold")
    assert reason.endswith("VTEX says: Item 15 indisponível")


def test_an_unknown_code_is_still_told():
    assert "ZZZ1" in react(400, [ErrorDetail(normalise_code("ZZZ1"))]).reasons[0]
    assert react(500, ()).reasons == ("VTEX answered HTTP 500 without a reason.",)


@given(
    st.integers(100, 599),
    st.lists(
        st.builds(ErrorDetail, st.sampled_from(CODES) | st.text(max_size=8), st.text()), max_size=6
    ),
)
def test_any_answer_gets_a_verdict(status, told):
    verdict = react(status, told)
    assert verdict.kind in ReactionKind
    if verdict.kind not in {K.OK, K.QUEUED}:
        assert verdict.reasons
