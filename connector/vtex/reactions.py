"""What the hub does about every code VTEX can answer an order with, and what it tells a merchant.

The table below is the only place where codes are judged. It is told by reaction and meaning,
because many codes of Checkout, Fulfillment and OMS say the same (protocol 6.4, appendix A).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from connector.vtex.errors import Code, ErrorDetail, normalise_code


class ReactionKind(StrEnum):
    """What comes next."""

    OK = "ok"
    QUEUED = "queued"  # taken, the result comes later
    RETRY = "retry"  # VTEX is unwell: the same again, later
    WAIT = "wait"  # the order is not where this is possible: read it, ask again later
    NOT_YET = "not-yet"  # VTEX does not have the order yet
    DIVERGENCE = "divergence"  # the total differs and no rule of the store allows it
    REFUSE = "refuse"  # refused: pointless until something changes
    ASK_PERSON = "ask-person"  # somebody must mend a setting or look
    EXISTS = "exists"  # VTEX has it already
    CANCELLED_BEFORE = "cancelled-before"  # it was cancelled and can never be made again


DECISIVE: tuple[ReactionKind, ...] = (
    ReactionKind.CANCELLED_BEFORE,
    ReactionKind.EXISTS,
    ReactionKind.ASK_PERSON,
    ReactionKind.REFUSE,
    ReactionKind.DIVERGENCE,
    ReactionKind.NOT_YET,
    ReactionKind.WAIT,
    ReactionKind.RETRY,
    ReactionKind.QUEUED,
    ReactionKind.OK,
)
"""Which reaction wins when VTEX gives several codes, most decisive first: what the order already is
outweighs what is wrong with it, and that outweighs what may pass by itself."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What to do about a code; ``say`` tells a merchant what it means and what helps."""

    kind: ReactionKind
    say: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer comes to; ``reasons`` may be shown to a merchant."""

    kind: ReactionKind
    codes: tuple[Code, ...] = ()
    reasons: tuple[str, ...] = ()


class _Row(NamedTuple):
    kind: ReactionKind
    codes: str
    say: str


_OK, _QUEUED, _RETRY = ReactionKind.OK, ReactionKind.QUEUED, ReactionKind.RETRY
_WAIT, _NOT_YET, _REFUSE = ReactionKind.WAIT, ReactionKind.NOT_YET, ReactionKind.REFUSE
_ASK, _EXISTS = ReactionKind.ASK_PERSON, ReactionKind.EXISTS
_DIVERGENCE, _BEFORE = ReactionKind.DIVERGENCE, ReactionKind.CANCELLED_BEFORE
_LATER = "Nothing needs to be done: it is tried again."

_ROWS: tuple[_Row, ...] = (
    _Row(_OK, "SOI001", "VTEX created the order."),
    _Row(_OK, "SOI002", "VTEX took the payment approval."),
    _Row(_QUEUED, "SOI003", "VTEX took the request and is working on it."),
    _Row(_EXISTS, "EOI007 FMT009 FMT0064 CHK0055 CHK0085", "VTEX already has this order."),
    _Row(
        _BEFORE,
        "FMT0060 CHK0086",
        "The order was cancelled in VTEX before and cannot be made again: cancel it on the"
        " marketplace as well.",
    ),
    _Row(
        _DIVERGENCE,
        "EOI003 FMT006 FMT007 CHK0198 ORD009",
        "The marketplace's total is not the store's, and no price divergence rule allows it: add"
        " a rule under Order authorization in VTEX that covers the difference, or correct the"
        " price or freight.",
    ),
    _Row(_NOT_YET, "EOI008", "The payment was approved before VTEX had the order. " + _LATER),
    _Row(
        _NOT_YET,
        "FMT0084 ORD014 CHK0069 CHK0199 CHK0201 CHK0229",
        "VTEX does not know the order, or not yet. " + _LATER,
    ),
    _Row(
        _WAIT,
        "EOI011",
        "The order waits for somebody of the store to authorise its price in VTEX.",
    ),
    _Row(
        _WAIT,
        "EOI009 CHK0184 CHK0202 CHK0242 ORD039 OMS003",
        "The order's status in VTEX does not allow this step: the order is read again and the step"
        " repeated if it is still needed.",
    ),
    _Row(
        _WAIT,
        "FMT0056 CHK0200",
        "VTEX has not finished creating the order. If it stays incomplete for a day, ask VTEX"
        " support about it.",
    ),
    _Row(_RETRY, "EOI006", "VTEX reports an instability of its own. " + _LATER),
    _Row(_RETRY, "EOI010", "VTEX took too long over the order. " + _LATER),
    _Row(
        _RETRY,
        "FMT0048 FMT0049 FMT0050 FMT0051 FMT0085 FMT0086 CHK0026 CHK0027 CHK0028 CHK0089 CHK0093"
        " CHK0110 CHK0183 CHK0211 CHK0219 CHK0231 CHK0233 CHK0262 CHK0265 CHK0267 CHK0270 CHK0279"
        " CHK0289 CHK0290 CHK0291 CHK0292 CHK00299 CHK00301 CHK00309 CHK00312 CHK00313 CHK00314"
        " CHK00315 ORD003 ORD008 ORD012 ORD015 ORD016 ORD021 ORD022 ORD026 ORD041 ORD052 ORD053"
        " ORD059 CHK0076 CHK0084 CHK0234 CHK0235",
        "VTEX's systems could not reach each other. " + _LATER,
    ),
    _Row(_RETRY, "CHK00310 CHK00311", "VTEX's logistics is overloaded. " + _LATER),
    _Row(
        _RETRY,
        "FMT002 FMT008 FMT014 FMT016 FMT0055 CHK0252 CHK0254 CHK0259",
        "VTEX could not reserve the stock for the order. It is tried again; if it goes on, check"
        " stock, docks and warehouses of the trade policy.",
    ),
    _Row(_ASK, "EOI000", "VTEX gives no reason: ask VTEX support about this order."),
    _Row(_ASK, "EOI001", "VTEX gives an unknown reason: ask VTEX support about this order."),
    _Row(
        _ASK,
        "FMT0021 FMT0030 FMT0037 FMT0062 FMT0071 FMT0088 CHK0120 CHK0147 CHK0148",
        "VTEX does not accept the affiliate: compare the affiliate's id and trade policy in VTEX"
        " with this connection's.",
    ),
    _Row(
        _ASK,
        "FMT0029 FMT0031 FMT0032 FMT0033 FMT0034 FMT0035",
        "VTEX refuses the affiliate's data: its id has three consonants, name and id are used"
        " once, the e-mail is valid and the search version is 1.x.x.",
    ),
    _Row(
        _ASK,
        "FMT0036 CHK0010 CHK0161",
        "VTEX does not know the trade policy: correct it in the affiliate and in this connection.",
    ),
    _Row(
        _ASK,
        "FMT0022 FMT0023 FMT0024 FMT0025 CHK0249 CHK0250 CHK0251",
        "The stock reserved for the order was lost or has run out: check the order in VTEX and"
        " whether it can still be delivered.",
    ),
    _Row(
        _ASK,
        "CHK003 CHK00317 ORD062 ORD021.5",
        "VTEX denies access: check the application key, its token and its permissions.",
    ),
    _Row(
        _ASK,
        "FMT0101 CHK0278 CHK0280 CHK0287",
        "The VTEX account is inactive or not the one that owns the products.",
    ),
    _Row(
        _ASK,
        "CHK0090 CHK0091 CHK0105 CHK0121 CHK0122 CHK0129 CHK0130 ORD035",
        "The store's order form configuration does not know a custom field of the order: add the"
        " app and its fields to the configuration.",
    ),
    _Row(
        _ASK,
        "FMT0065 FMT0103 CHK0176 CHK0177 CHK0288 ORD032 ORD034 ORD037 ORD040 ORD042 ORD043",
        "A setting of the store stops the order: ask VTEX support.",
    ),
    _Row(
        _REFUSE,
        "EOI002 FMT005 FMT0046 CHK0246 CHK0272 ORD013 ORD023 ORD027 ORD028 ORD050",
        "An item cannot be sold: check that the SKU is active, in the affiliate's trade policy,"
        " has a price and stock, and a carrier for the address.",
    ),
    _Row(
        _REFUSE,
        "FMT003 FMT004 FMT010 FMT0058 CHK0042 CHK0171 CHK0256 CHK0257",
        "The delivery option is not available for an item and address: check shipping policies,"
        " docks and stock. Orders the marketplace delivers need a shipping policy as well.",
    ),
    _Row(
        _REFUSE,
        "FMT0059 FMT0061 CHK0264 ORD048",
        "The pickup point does not exist or is closed: check it in VTEX's pickup points.",
    ),
    _Row(
        _REFUSE,
        "EOI004 FMT0043 FMT0067 CHK0062 CHK0248 ORD004 ORD033 ORD036",
        "The store's limits do not allow this cart: check minimum value, minimum and maximum"
        " quantity, and that all SKUs exist.",
    ),
    _Row(_REFUSE, "FMT0104", "The order has more items than VTEX takes: split it by hand."),
    _Row(
        _REFUSE,
        "EOI005 ORD002 ORD017 ORD057 ORD063 ORD064 CHK00308 CHK0116 CHK0197 CHK0203 CHK0281",
        "VTEX finds the order's data"
        " invalid: compare the order with the reasons given and correct it.",
    ),
    _Row(
        _REFUSE,
        "FMT001 FMT0072 FMT0073 FMT0074 FMT0095 CHK0040 CHK0119 CHK0127 CHK0175 CHK0255 CHK0261"
        " CHK0263 CHK00307 ORD006 ORD029 ORD030 ORD031 ORD044 ORD045 ORD051",
        "The delivery address is incomplete or invalid: it needs one country, and a postal code"
        " or coordinates that the store delivers to.",
    ),
    _Row(
        _REFUSE,
        "FMT0045 CHK0131 ORD007",
        "The buyer's data are incomplete or invalid: name, e-mail and document are required.",
    ),
    _Row(
        _REFUSE, "CHK0099 CHK0126", "A field of the order is too long or has a forbidden character."
    ),
    _Row(
        _REFUSE,
        "FMT0038 FMT0039 FMT0040 FMT0041 CHK0022 CHK0023 CHK0024 CHK0025 CHK0032 CHK0162 CHK0045"
        " CHK0266 ORD024 ORD055",
        "An item's id, quantity, price or seller is not accepted: check the SKU in VTEX.",
    ),
    _Row(
        _REFUSE,
        "FMT0026 ORD005",
        "The order has no items: check it on the marketplace.",
    ),
    _Row(
        _REFUSE,
        "FMT012 FMT0057 FMT0075 FMT0076 FMT0089 FMT0091 FMT0092 CHK0041 CHK0107 CHK0108 CHK0149"
        " CHK0150 CHK0172 CHK0282 ORD056 ORD058",
        "Items and deliveries of the order do not belong together: report this to the connector's"
        " operator.",
    ),
    _Row(
        _REFUSE,
        "FMT0042 FMT0066 CHK0016 CHK0145 CHK0151 CHK0154 CHK0210 ORD020 ORD054",
        "The order's payment value is not accepted: check total, freight, interest and taxes.",
    ),
    _Row(_REFUSE, "FMT0100 CHK0168", "The order's taxes are not accepted: check their values."),
    _Row(
        _REFUSE,
        "FMT017 FMT0077 FMT0078 FMT0079 FMT0090 CHK0258 ORD046 ORD047",
        "Reservation time, delivery estimate or delivery window is missing or invalid.",
    ),
    _Row(
        _REFUSE,
        "FMT015 FMT0070 CHK0092 CHK0144 CHK0146",
        "The marketplace's order id or the connector's address is not accepted: report this to"
        " the connector's operator.",
    ),
    _Row(_REFUSE, "FMT0096", "A shipping label needs its tracking id and the carrier's name."),
    _Row(_REFUSE, "FMT0093 CHK0152", "VTEX does not know a payment method of the order."),
    _Row(
        _REFUSE,
        "FMT0047 CHK0139 CHK0140 CHK0141 ORD025",
        "A SKU requires information that marketplaces cannot give: make its attachment optional.",
    ),
    _Row(_REFUSE, "FMT011", "A service sold with an item is not available any more."),
    _Row(_REFUSE, "FMT0097 CHK0049", "The order uses more price tables than VTEX allows."),
    _Row(
        _REFUSE,
        "FMT0053 FMT0054 FMT0063 FMT0098 FMT0099 CHK0034 CHK0035 CHK0051 CHK0095 CHK0096 CHK0098"
        " CHK0124 CHK0157",
        "VTEX does not accept the change of the order: change it by hand on both sides.",
    ),
    _Row(
        _REFUSE, "FMT0044 FMT0052", "A technical value of the order is invalid: ask VTEX support."
    ),
    _Row(
        _REFUSE,
        "FMT0094 ORD038",
        "VTEX does not accept or find the invoice: check its number, value and items.",
    ),
)


def _table(rows: Iterable[_Row]) -> Mapping[str, Reaction]:
    table: dict[str, Reaction] = {}
    for kind, codes, say in rows:
        for code in codes.split():
            if code in table or code != normalise_code(code):
                raise ValueError(f"{code} is there twice or misspelled")
            table[code] = Reaction(kind, say)
    return MappingProxyType(table)


REACTIONS: Mapping[str, Reaction] = _table(_ROWS)
"""Reaction to each known code, by its normalised spelling."""

_VAGUE = frozenset({"EOI000", "EOI001"})


def reaction_to(code: Code) -> Reaction | None:
    """The reaction to a code; one like ORD015.3 falls back to its family ORD015."""
    return REACTIONS.get(code) or REACTIONS.get(code.partition(".")[0])


def react(status: int, details: Iterable[ErrorDetail]) -> Verdict:
    """Judge an answer by its codes, and by its status where no code is known (protocol 1.6).

    EOI000 and EOI001 say nothing themselves: they count only when no other code is known.
    """
    told = tuple(details)
    known = {each.code: found for each in told if (found := reaction_to(each.code))}
    clear = {code: found for code, found in known.items() if code not in _VAGUE} or known
    codes = tuple(dict.fromkeys(each.code for each in told if each.code))
    if clear:
        kind = min((found.kind for found in clear.values()), key=DECISIVE.index)
    else:
        kind = _by_status(status, told=bool(codes))
    success = kind in {_OK, _QUEUED}
    reasons = () if success else _reasons(status, told, clear)
    return Verdict(kind, codes, reasons)


def _by_status(status: int, *, told: bool) -> ReactionKind:
    if 200 <= status < 300:
        return _ASK if told else _OK
    if status in {408, 429} or status >= 500 or 300 <= status < 400:
        return _RETRY
    return _ASK if status in {401, 403, 404} else _REFUSE


def _reasons(
    status: int, told: tuple[ErrorDetail, ...], clear: Mapping[Code, Reaction]
) -> tuple[str, ...]:
    lines = []
    for each in told:
        say = clear[each.code].say if each.code in clear else ""
        quoted = f"VTEX says: {each.message[:300]}" if each.message else ""
        text = " ".join(part for part in (say, quoted) if part)
        if not text and (not each.code or clear):
            continue
        text = text or "VTEX gives a code this connector does not know."
        lines.append(f"{each.code}: {text}" if each.code else text)
    return tuple(dict.fromkeys(lines)) or (f"VTEX answered HTTP {status} without a reason.",)
