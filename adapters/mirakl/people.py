"""Who bought and where it goes: Mirakl's words in the hub's. Pure."""

from __future__ import annotations

import re
from typing import Annotated

from adapters.mirakl.settings import MiraklSettings
from adapters.mirakl.wire import Blank, Text, Wire
from connector.sdk import Address, Buyer


class WireAddress(Wire):
    """Where it goes, or where the bill goes."""

    firstname: Text = ""
    lastname: Text = ""
    company: Text = ""
    street_1: Text = ""
    street_2: Text = ""
    additional_info: Text = ""
    zip_code: Text = ""
    city: Text = ""
    state: Text = ""
    country_iso_code: Text = ""
    phone: Text = ""
    phone_secondary: Text = ""

    @property
    def told(self) -> bool:
        """Whether there is an address at all: operators hide it at first."""
        return bool(self.street_1 or self.zip_code)

    def address(self, settings: MiraklSettings) -> Address:
        """The same in the hub's words."""
        street, number = split_street(self.street_1)
        line = settings.neighborhood_line
        extra = [
            text
            for name, text in (
                ("street_2", self.street_2),
                ("additional_info", self.additional_info),
            )
            if text and name != line
        ]
        return Address(
            receiver=f"{self.firstname} {self.lastname}".strip() or self.company,
            street=street,
            number=number,
            complement=", ".join(extra),
            neighborhood=getattr(self, line) if line else "",
            city=self.city,
            state=self.state,
            country=self.country_iso_code,
            postal_code=self.zip_code,
        )


class WireOrganization(Wire):
    """The company that bought."""

    name: Text = ""
    tax_identification_number: Text = ""
    identification_number: Text = ""


class WireCustomer(Wire):
    """Who bought."""

    firstname: Text = ""
    lastname: Text = ""
    billing_address: Annotated[WireAddress, Blank] = WireAddress()
    shipping_address: Annotated[WireAddress, Blank] = WireAddress()
    organization: Annotated[WireOrganization, Blank] = WireOrganization()

    def buyer(self, email: str, document: str) -> Buyer:
        """The same in the hub's words; ``document`` is a CPF or CNPJ told elsewhere, or nothing."""
        company, ship, bill = self.organization, self.shipping_address, self.billing_address
        digits = re.sub(r"\D", "", document)
        cpf, cnpj = (digits if len(digits) == length else "" for length in (11, 14))
        return Buyer(
            first_name=self.firstname or bill.firstname or ship.firstname,
            last_name=self.lastname or bill.lastname or ship.lastname,
            email=email,
            phone=ship.phone or ship.phone_secondary or bill.phone or bill.phone_secondary,
            document=cpf,
            document_type="cpf" if cpf else "",
            company_name=company.name or (bill.company if cnpj else ""),
            company_document=company.tax_identification_number
            or cnpj
            or company.identification_number,
        )


def split_street(text: str) -> tuple[str, str]:
    """Street and number, where the number follows a comma; anything else stays in one piece."""
    found = re.fullmatch(r"(.+?),\s*(?:n[º°o.]*\s*)?(\d+[\w/-]*)", text.strip(), re.IGNORECASE)
    return (found[1].strip(), found[2]) if found else (text.strip(), "")
