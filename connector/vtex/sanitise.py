"""People and places as VTEX accepts them (protocol 5.2, 6.1, 6.3)."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from connector.domain.marketorder import Address, Buyer

FORBIDDEN = '<>?+";%'
"""VTEX refuses these in addresses and they break deliveries (CHK0040, CHK0126, KI 342759)."""

_CLEAN = str.maketrans(dict.fromkeys(FORBIDDEN, " "))
_ALPHA3 = {
    "AR": "ARG",
    "BO": "BOL",
    "BR": "BRA",
    "CA": "CAN",
    "CL": "CHL",
    "CO": "COL",
    "CR": "CRI",
    "DO": "DOM",
    "EC": "ECU",
    "ES": "ESP",
    "FR": "FRA",
    "GB": "GBR",
    "GT": "GTM",
    "HN": "HND",
    "IT": "ITA",
    "MX": "MEX",
    "NI": "NIC",
    "PA": "PAN",
    "PE": "PER",
    "PT": "PRT",
    "PY": "PRY",
    "RO": "ROU",
    "SV": "SLV",
    "US": "USA",
    "UY": "URY",
    "VE": "VEN",
}
_BRAZIL = {
    "acre": "AC",
    "alagoas": "AL",
    "amapa": "AP",
    "amazonas": "AM",
    "bahia": "BA",
    "ceara": "CE",
    "distrito federal": "DF",
    "espirito santo": "ES",
    "goias": "GO",
    "maranhao": "MA",
    "mato grosso": "MT",
    "mato grosso do sul": "MS",
    "minas gerais": "MG",
    "para": "PA",
    "paraiba": "PB",
    "parana": "PR",
    "pernambuco": "PE",
    "piaui": "PI",
    "rio de janeiro": "RJ",
    "rio grande do norte": "RN",
    "rio grande do sul": "RS",
    "rondonia": "RO",
    "roraima": "RR",
    "santa catarina": "SC",
    "sao paulo": "SP",
    "sergipe": "SE",
    "tocantins": "TO",
}


def plain(text: str) -> str:
    """Text without forbidden or control characters, and with single spaces."""
    kept = (each if each.isprintable() else " " for each in text.translate(_CLEAN))
    return " ".join("".join(kept).split())


def digits(text: str) -> str:
    """Only the digits of a phone number: VTEX does not check it, carriers do (KI 680500)."""
    return re.sub(r"[^0-9]", "", text)


def country_code(country: str) -> str:
    """A country as ISO 3166 alpha-3; an alpha-2 code this hub knows is translated."""
    code = plain(country).upper()
    return _ALPHA3.get(code, code)


def state_code(state: str, country: str) -> str:
    """A state as its two letters where that is known, else as it came."""
    text = plain(state)
    if country == "BRA":
        if text[:3].upper() == "BR-":
            text = text[3:]
        name = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
        text = _BRAZIL.get(name, text)
    return text.upper() if len(text) <= 3 else text


def profile(buyer: Buyer) -> dict[str, Any]:
    """The buyer in the fields both order APIs share; what is not known is null."""
    return {
        "email": buyer.email.strip() or None,
        "firstName": plain(buyer.first_name) or None,
        "lastName": plain(buyer.last_name) or None,
        "phone": digits(buyer.phone) or None,
        "document": plain(buyer.document) or None,
        "corporateDocument": plain(buyer.company_document) or None,
        "corporatePhone": (digits(buyer.phone) or None) if is_corporate(buyer) else None,
        "corporateName": plain(buyer.company_name) or None,
        "tradeName": plain(buyer.company_name) or None,
        "stateInscription": plain(buyer.state_registration) or None,
    }


def is_corporate(buyer: Buyer) -> bool:
    """Whether a company bought (protocol 6.3)."""
    return bool(buyer.company_name.strip() or buyer.company_document.strip())


def place(address: Address, *, pickup: bool) -> dict[str, Any]:
    """The address in the fields both order APIs share, coordinates left out."""
    country = country_code(address.country)
    point = plain(address.pickup_point_id)
    return {
        "addressType": "pickup" if pickup else "residential",
        "addressId": (point if pickup else "") or "1",
        "receiverName": plain(address.receiver) or None,
        "postalCode": plain(address.postal_code) or None,
        "city": plain(address.city) or None,
        "state": state_code(address.state, country) or None,
        "country": country or None,
        "street": plain(address.street) or None,
        "number": plain(address.number) or None,
        "neighborhood": plain(address.neighborhood) or None,
        "complement": plain(address.complement) or None,
    }
