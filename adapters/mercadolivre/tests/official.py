"""Examples of the official documentation: where they are, which are read, and why not others."""

import json
import os
from pathlib import Path

import pytest

ROOT = os.environ.get("CONNECTOR_SPEC_DIR", "")
FOLDER = Path(ROOT) / "marketplaces" / "specs" / "mercadolivre" / "examples"
needs_examples = pytest.mark.skipif(
    not (ROOT and FOLDER.is_dir()), reason="CONNECTOR_SPEC_DIR does not lead to the examples"
)

ITEMS = (
    "item-get-with-variations-repaired",
    "mercado-envios-08",
    "mercadoenvios-modo-1-02",
    "productos-recibe-notificaciones-17",
    "variaciones-03",
)
EVENTS = tuple(
    f"productos-recibe-notificaciones-{number:02}" for number in (2, 4, 5, 7, 8, 9, 11, 12, 13, 14)
)
SEARCHES = tuple(f"items-y-busquedas-{number:02}" for number in (1, 2, 3))
BILLING = {  # name, last name, document type, document
    "facturacion-02": ("María Lupita", "Gomez Blanco", "cpf", "32659430"),
    "facturacion-04": ("Juan Soraes", "Sanchez", "rfc", "CUPU800825569"),
    "facturacion-05": ("SALVADO HNOS S A", "", "rfc", "CUPU800825569"),
    "facturacion-08": ("Adrian", "Garces", "cc", "73160000"),
    "facturacion-09": ("Apple", "", "cc", "73160000"),
    "facturacion-13": ("Name", "Last", "ci", "64856596"),
}
REQUESTS = (
    "descripcion-de-articulos-02",
    "estados-de-ordenes-me1-01",
    "estados-de-ordenes-me1-04",
    "feedback-sobre-venta-01",
    "producto-sincroniza-modifica-publicaciones-03",
    "producto-sincroniza-modifica-publicaciones-05",
    "producto-sincroniza-modifica-publicaciones-08",
    "producto-sincroniza-modifica-publicaciones-09",
    "publica-productos-03",
    "stock-multi-origen-03",
)
OTHERS = (
    "autenticacion-y-autorizacion-01",
    "descripcion-de-articulos-05",
    "gestion-packs-01",
    "missed-feeds-repaired",
    "order-detail-with-pack-repaired",
    "producto-consulta-usuarios-01",
    "producto-sincroniza-modifica-publicaciones-07",
    "cargar-factura-02",
    "facturacion-03",
    "facturacion-06",
)
READ = {*ITEMS, *EVENTS, *SEARCHES, *BILLING, *REQUESTS, *OTHERS}

# Why the others are not read. Errors are in neither list: all of them are read, by their shape.
NOT_READ = {
    "atributos-*": "attributes of other calls than creation, or metrics: never asked for",
    "cargar-factura-*": "covered as errors",
    "consideraciones-de-diseno-*": "JSONP and OPTIONS, which no server uses",
    "descripcion-de-articulos-*": "covered as errors",
    "envios-*": "placeholders and sub-resources (costs, payments, lead time) that are not read",
    "errores-*": "covered as errors",
    "estados-de-ordenes-me1-*": "notices that VTEX tells nothing about (absent, bad address)",
    "feedback-sobre-venta-*": "replies and both sides' opinions: only whether one exists counts",
    "flete-dinamico-*": "freight quotations are not served by the hub",
    "gestion-packs-02": "manufacturing time: the seller says so on Mercado Livre",
    "gestionar-devoluciones-*": "reviews and costs of returns: people's work",
    "gestionar-resolucion-de-reclamos-*": "resolutions of claims: people's work",
    "items-y-busquedas-05": "several users at once: never asked for",
    "mercado-envios-*": "preferences of the account: set on Mercado Livre",
    "mercadoenvios-modo-2-*": "creation with a shipping mode, as publica-productos-03 otherwise",
    "precio-variacion-*": "families and migrations: one listing per SKU, migrated by Mercado Livre",
    "producto-consulta-usuarios-02": "somebody else's account",
    "producto-sincroniza-modifica-publicaciones-01": "a changed title and price: as 08",
    "producto-sincroniza-modifica-publicaciones-10": "a limit per purchase: not offered",
    "productos-recibe-notificaciones-18": "an event with subtopics of items",
    "que-es-un-reclamo-*": "details and histories beside the claim, which has no example",
    "re-publica-*": "relisting: the hub lists anew",
    "realiza-pruebas-*": "test users are made by hand",
    "stock-*": "stock is only written: of what is read the version counts, which is a header",
    "tipos-de-publicacion-*": "listing types are a setting",
    "trabajar-con-imagenes-*": "pictures are sent as addresses",
    "user-products-01": "attributes of one's own making: never sent",
    "variaciones-*": "variations are not used: one listing per SKU",
}


def example(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def names():
    return sorted(path.stem for path in FOLDER.glob("*.json")) if FOLDER.is_dir() else []


def is_error(body):
    if not isinstance(body, dict):
        return False
    status = body.get("status")
    return isinstance(status, int) and status >= 400 and "error" in body


ERRORS = [name for name in names() if is_error(example(name))]
