"""The ladder as data, what adapters say of themselves, and what a report makes of it."""

import pytest

from connector.sdk.kit import RULES, Level, Report, Row, Verdict, check_adapter
from connector.sdk.kit.ladder import BadQualityFile, Quality, Step, ladder, read_quality

STEP = {str(level): Step(f"rule-{level}", level, "Asks.") for level in Level}


def test_every_rule_has_a_place_and_every_place_a_rule():
    assert sorted(RULES) == sorted(step.rule for step in ladder())


def test_every_rule_says_what_it_asks():
    assert [step.rule for step in ladder() if not step.asks.endswith(".")] == []


def quality(tmp_path, text):
    (tmp_path / "quality.toml").write_text(text)
    return read_quality(tmp_path)


def test_quality_tells_level_and_exemptions(tmp_path):
    told = quality(tmp_path, 'level = "silver"\n[exemptions]\npolling = "no list of orders"\n')
    assert told == Quality(Level.SILVER, {"polling": "no list of orders"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("level = ", "cannot be read"),
        ("", "must be bronze, silver or gold"),
        ('level = "platinum"', "must be bronze, silver or gold"),
        ('level = "gold"\nwhy = 1', "not ['why']"),
        ('level = "gold"\nexemptions = 1', "must be a table"),
        ('level = "gold"\n[exemptions]\nflying = "no wings"', "do not exist: ['flying']"),
        ('level = "gold"\n[exemptions]\npolling = " "', "['polling'] without a reason"),
    ],
)
def test_bad_quality_files_are_refused(tmp_path, text, says):
    with pytest.raises(BadQualityFile) as refused:
        quality(tmp_path, text)
    assert says in str(refused.value)


def test_a_missing_quality_file_says_what_to_write(tmp_path):
    with pytest.raises(BadQualityFile, match='write level = "bronze" in it'):
        read_quality(tmp_path)


# --- reports --------------------------------------------------------------------------------------


def report(declared, **verdicts):
    rows = tuple(Row(STEP[level], Verdict(verdict)) for level, verdict in verdicts.items())
    return Report("x", declared, rows)


@pytest.mark.parametrize(
    ("declared", "verdicts", "ok", "reached"),
    [
        (Level.GOLD, {"bronze": "passed", "silver": "passed", "gold": "passed"}, True, Level.GOLD),
        (Level.SILVER, {"bronze": "passed", "silver": "exempt", "gold": "FAILED"}, True,
         Level.SILVER),
        (Level.GOLD, {"bronze": "passed", "silver": "skipped", "gold": "FAILED"}, False,
         Level.SILVER),
        (Level.BRONZE, {"bronze": "passed", "silver": "FAILED", "gold": "passed"}, True,
         Level.BRONZE),
        (Level.BRONZE, {"bronze": "FAILED", "silver": "passed", "gold": "passed"}, False, None),
    ],
)  # fmt: skip
def test_a_level_is_kept_when_all_its_rules_are(declared, verdicts, ok, reached):
    made = report(declared, **verdicts)
    assert (made.ok, made.reached) == (ok, reached)


def test_what_cannot_be_loaded_reaches_nothing():
    broken = Report("x", Level.BRONZE, broken=("it cannot be imported",))
    assert (broken.ok, broken.reached) == (False, None)


async def test_an_unknown_adapter_is_told_with_the_known_ones():
    made = await check_adapter("nowhere")
    assert not made.ok
    assert "there is no adapter nowhere" in made.broken[0]
    assert "demo" in made.broken[0]


async def test_an_exemption_needs_a_broken_rule(measure):
    exempt = Quality(Level.GOLD, {"polling": "it has no list of orders"})
    row = await measure("polling", quality=exempt)
    assert row.verdict == "FAILED"
    assert "remove the exemption" in row.says[0]


async def test_an_exemption_gives_its_reason(measure):
    from adapters import demo

    class Closed(demo.DemoAdapter):
        async def orders_since(self, cursor):
            raise NotImplementedError

    exempt = Quality(Level.GOLD, {"polling": "it has no list of orders"})
    row = await measure("polling", adapter=Closed, quality=exempt)
    assert (row.verdict, row.says) == ("exempt", ("it has no list of orders",))


async def test_single_rules_can_be_asked_for():
    made = await check_adapter("demo", ["readme", "package"])
    assert [row.step.rule for row in made.rows] == ["package", "readme"]
