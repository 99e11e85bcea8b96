"""What is generated: an adapter's documentation, the table of levels, and whether both are new."""

import pytest

from adapters.demo import DemoAdapter
from connector.domain.marketorder import Invoice, Tracking
from connector.domain.offer import Content, PriceStock
from connector.sdk import FieldRule, Need
from connector.sdk.describe import SOURCES, source_of
from connector.sdk.kit.docs import document, table
from connector.sdk.kit.subject import find_subject
from connector.sdk.kit.table import own_subjects, quality_table, readme_file, renewed

MODELS = {"content": Content, "terms": PriceStock, "invoice": Invoice, "tracking": Tracking}


def test_every_field_of_the_hub_has_a_source_in_vtex():
    fields = {f"{group}.{name}" for group, model in MODELS.items() for name in model.model_fields}
    assert set(SOURCES) == fields


def test_a_row_may_say_it_otherwise():
    rule = FieldRule(field="content.title", market="title", how="in capitals")
    told = source_of(rule)
    assert (told.vtex, told.how) == ("NameComplete", "in capitals")
    assert rule.group == "content"


def test_a_setting_comes_from_the_connection():
    assert source_of(FieldRule(field="settings.shop", market="shop")).how.startswith("a setting")


def test_the_mapping_table_has_vtex_s_columns():
    text = document(DemoAdapter)
    head = (
        "| VTEX field | how to fill it in VTEX | VTEX API | Demo Market field | transformation"
        " | mandatory | BuyBox |"
    )
    assert head in text
    row = (
        "| `sellingPrice` | VTEX Admin, Prices: price table and promotions"
        " | Simulation: POST /api/fulfillment/pvt/orderForms/simulation | `price`"
    )
    assert f'{row} | cents to decimal text: 19990 to "199.90" | yes | yes |' in text


def test_mandatory_and_recommended_data_are_told_apart():
    lines = document(DemoAdapter).splitlines()
    told = {line.split(" | ")[0].lstrip("| "): line for line in lines if line.startswith("|")}
    assert "`NameComplete`" in told[Need.MANDATORY]
    assert "`BrandName`" in told[Need.RECOMMENDED]
    assert "`sellingPrice`" in told["counts for the BuyBox"]


def test_settings_limits_and_errors_are_told():
    text = document(DemoAdapter)
    assert "| `api_key` | API key | Seller centre, Integrations. | yes | yes |  |" in text
    assert "| 4 in 1 s | operation `listings.create` | 8 |" in text
    assert "| EAN*is not valid | its length or check digit is wrong |" in text
    assert "Application webhook secret" in text


def test_what_nobody_verified_is_told():
    class Careful(DemoAdapter):
        unverified = ("Whether lots keep their order is not documented; the adapter needs none.",)

    assert "## Not verified\n\n* Whether lots keep their order" in document(Careful)
    assert "## Not verified" not in document(DemoAdapter)


def test_cells_cannot_break_the_table():
    assert table(("a",), [("x | y\nz",)]) == "| a |\n| --- |\n| x \\| y z |"


# --- the table of all adapters --------------------------------------------------------------------


def test_the_table_of_adapters_is_up_to_date():
    path = readme_file()
    text = path.read_text(encoding="utf-8")
    assert renewed(text, quality_table(own_subjects())) == text, (
        "run: connector adapter table --write"
    )


def test_the_table_tells_level_and_exemptions():
    text = quality_table([find_subject("demo")])
    assert "| [demo](demo/README.md) | Demo Market | gold | 19 | nothing |" in text
    assert "The levels: bronze " in text


def test_without_its_marks_the_readme_is_left_alone():
    with pytest.raises(ValueError, match="are missing"):
        renewed("# Adapters\n", "| table |")
