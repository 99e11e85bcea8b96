import pytest
from pymongo import DeleteMany, DeleteOne, InsertOne, ReplaceOne, UpdateOne

from connector.domain.pending import Claim, Context, Finished, Hint, Priority
from connector.drivers.memory_rows import Row
from connector.drivers.mongo_changes import (
    Subject,
    Unit,
    change_documents,
    change_facts,
    change_holds,
    change_rows,
    touched_rows,
)
from connector.drivers.mongo_due import Seldom, longest_waiting
from connector.drivers.mongo_rows import row_doc, row_of
from connector.ports import (
    Conflict,
    Drop,
    Due,
    EraseFacts,
    Hold,
    LeaseLost,
    Put,
    Settle,
    StoreUnavailable,
)
from tests.contract.store_words import T0, C, at, document, entry, fact, mark


def kinds(statements) -> list[type]:
    return [type(one) for one in statements]


def claim(row: Row, fence: int) -> Claim:
    return row.claim(fence, at(60))


# --- documents ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("writes", "expected", "version", "statements", "hits"),
    [
        ([Put(document())], 0, 1, [InsertOne], 0),
        ([Put(document(version=3))], 3, 4, [UpdateOne], 1),
        ([Drop("listing", C, "1")], None, 0, [DeleteOne], None),
        ([Put(document(version=3)), Put(document(version=4))], 3, 5, [UpdateOne], 1),
        ([Put(document(version=3)), Drop("listing", C, "1")], 3, 0, [DeleteOne], 1),
        ([Drop("listing", C, "1"), Put(document())], None, 1, [ReplaceOne], None),
        ([Put(document()), Drop("listing", C, "1")], 0, 0, [InsertOne, DeleteOne], 1),
    ],
)
def test_what_a_unit_makes_of_a_document(writes, expected, version, statements, hits):
    (change,) = change_documents(writes)
    assert (change.expected, change.version, change.hits) == (expected, version, hits)
    assert kinds(change.statements) == statements


def test_a_unit_that_contradicts_itself_is_refused():
    for writes in (
        [Put(document()), Put(document())],
        [Put(document(version=2)), Put(document(version=2))],
        [Drop("listing", C, "1"), Put(document(version=1))],
    ):
        with pytest.raises(Conflict):
            change_documents(writes)


def test_only_one_document_alone_needs_no_transaction():
    assert Unit.of([Put(document())]).is_one_document
    assert Unit.of([Drop("listing", C, "1")]).is_one_document
    for writes in ([Put(document()), entry()], [mark()], [Put(document("1")), Put(document("2"))]):
        assert not Unit.of(writes).is_one_document


# --- rows -----------------------------------------------------------------------------------------


def test_rows_are_made_changed_and_deleted():
    known, finished = Row.of(mark("known"), T0), Row.of(mark("finished"), T0)
    ended = claim(finished, 7)
    writes = [mark("known", 9), mark("new"), Settle(ended, Finished()), mark("new", 3)]
    assert [one["key"] for one in touched_rows(writes)] == ["known", "new", "finished"]
    statements = change_rows(writes, [known, finished], T0)
    assert kinds(statements) == [ReplaceOne, DeleteOne, InsertOne]
    assert known.marks == 2


def test_a_stale_claim_refuses_the_unit():
    row = Row.of(mark(), T0)
    stale, fresh = claim(row, 7), claim(row, 8)
    with pytest.raises(LeaseLost):
        change_rows([Settle(stale, Finished())], [row], T0)
    with pytest.raises(LeaseLost):
        change_rows([Settle(fresh, Finished())], [], T0)
    assert change_rows([Settle(fresh, Finished())], [row], T0)


def test_a_row_is_read_as_it_was_written():
    full = Row(
        connection=C,
        context=Context.ORDERS,
        key="k",
        due_at=at(1.000001),
        priority=Priority.ECHO,
        marked_at=at(2),
        hint=Hint(content=True, recheck=True, sold=True, active=False),
        marks=9,
        not_before=at(3),
        later_at=at(4),
        attempts=2,
        failing_since=at(5),
        let_go=True,
        reasons=("a", "b"),
        lease_until=at(6),
        fence=1 << 40,
    )
    for row in (full, Row.of(mark(), T0), Row(C, Context.UPKEEP, "", T0, Priority.SWEEP, None)):
        assert row_of(row_doc(row)) == row


# --- facts and holds ------------------------------------------------------------------------------


def test_facts_are_numbered_behind_those_that_were_ever_there():
    known = {(C, "o1"): Subject({"a"}, 4)}
    statements = change_facts([fact("a"), fact("b"), fact("b"), fact("c", subject="o2")], known)
    assert kinds(statements) == [InsertOne, InsertOne]
    assert [one._doc["_id"]["seq"] for one in statements] == [5, 1]


def test_erased_facts_leave_a_place_without_a_word():
    known = {(C, "o1"): Subject({"a", "b"}, 4)}
    statements = change_facts([EraseFacts(C, "o1"), EraseFacts(C, "none"), fact("a")], known)
    assert kinds(statements) == [DeleteMany, ReplaceOne, InsertOne]
    place = {"connection": C, "subject": "o1", "seq": 4}
    assert statements[1]._doc == {"_id": place}
    assert statements[2]._doc["_id"]["seq"] == 5


def test_holds_are_set_and_released():
    holds = [Hold("shop", "1", C, "o", 2), Hold("shop", "1", C, "o", 0)]
    assert kinds(change_holds(holds)) == [ReplaceOne, DeleteOne]


# --- what is due ----------------------------------------------------------------------------------


def test_of_what_was_told_twice_the_longer_wait_counts():
    told = [
        Due("a", Context.ORDERS, 3, at(5)),
        Due("b", Context.ORDERS, 1, at(4)),
        Due("a", Context.ORDERS, 9, at(2)),
        Due("a", Context.LISTINGS, 1, at(5)),
    ]
    expected = [told[2], told[1], told[3]]
    assert longest_waiting(told, 10) == expected
    assert longest_waiting(told, 2) == expected[:2]


def test_what_costs_much_is_done_seldom(monkeypatch):
    now = 100.0
    monkeypatch.setattr("connector.drivers.mongo_due.time.monotonic", lambda: now)
    seldom = Seldom()
    for _ in range(3):  # quick: as often as one likes
        assert seldom.begin()
        with seldom.measured():
            now += 0.005
    assert seldom.begin()
    with seldom.measured():
        now += 2
    assert not seldom.begin()
    now += 39
    assert not seldom.begin()
    now += 1
    assert seldom.begin()

    def fail() -> None:
        nonlocal now
        now += 60
        raise StoreUnavailable("away")

    with pytest.raises(StoreUnavailable), seldom.measured():
        fail()
    now += 59
    assert not seldom.begin()
    now += 1
    assert seldom.begin()
