"""What a merchant tells us to connect with Acme Market."""

from __future__ import annotations

from pydantic import Field, HttpUrl, SecretStr

from connector.sdk import AdapterSettings


class AcmeSettings(AdapterSettings):
    """One seller's account on Acme Market."""

    base_url: HttpUrl = Field(title="API address", description="Told by Acme Market.")
    api_key: SecretStr = Field(title="API key", description="Seller centre, Integrations.")
    currency: str = Field(
        title="Currency", description="Which one the account sells in, ISO 4217.", default="BRL"
    )
