"""Error bodies in the shapes and languages of protocol 1.6."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connector.domain.http import json_response

if TYPE_CHECKING:
    from connector.domain.http import Response

_TEXTS: dict[str, tuple[str, str, str]] = {
    "1": ("Request could not be processed", "Não foi possível processar", "No se pudo procesar"),
    "canceled": (
        "The operation was canceled.",
        "A operação foi cancelada.",
        "La operación fue cancelada.",
    ),
    "unauthorized": ("Unauthorized access", "Acesso não autorizado", "Acceso no autorizado"),
    "CHK003": ("Access denied", "Acesso negado", "Acceso denegado"),
    "CHK0022": ("Item without id", "Item sem id", "Ítem sin id"),
    "CHK0023": ("Item without quantity", "Item sem quantidade", "Ítem sin cantidad"),
    "CHK0040": ("Forbidden character in {0}", "Caractere proibido em {0}", "Carácter en {0}"),
    "CHK0062": ("Too many items, max {0}", "Itens demais, máximo {0}", "Demasiados ítems: {0}"),
    "CHK0120": ("Unknown affiliate {0}", "Afiliado {0} inválido", "Afiliado {0} inválido"),
    "CHK0146": ("Bad services endpoint", "Endpoint inválido", "Endpoint inválido"),
    "CHK0161": ("Bad sales channel {0}", "Canal {0} inválido", "Canal {0} inválido"),
    "CHK0184": ("Cannot settle while {0}", "Não liquida em {0}", "No se liquida en {0}"),
    "CHK0202": ("Cannot cancel {0} in {1}", "Não cancela {0} em {1}", "No cancela {0} en {1}"),
    "CHK00310": ("Logistics is throttling", "Logística limitando", "Logística limitando"),
    "ORD005": ("Order without items", "Pedido sem itens", "Pedido sin ítems"),
    "ORD007": ("Profile field {0} is bad", "Campo {0} do perfil inválido", "Campo {0} inválido"),
    "ORD027": (
        "Item {0} missing or unavailable",
        "Item {0} ausente ou indisponível",
        "Ítem {0} ausente o no disponible",
    ),
    "ORD038": ("No such invoice", "Nota não encontrada", "Factura no encontrada"),
    "ORD039": ("No invoice while {0}", "Sem nota em {0}", "Sin factura en {0}"),
    "OMS003": ("Needs status {0}", "Exige status {0}", "Requiere estado {0}"),
    "FMT001": ("Shipping data missing", "Sem dados de entrega", "Sin datos de entrega"),
    "FMT002": ("Stock reservation failed", "Falha na reserva", "Falló la reserva"),
    "FMT005": ("Item {0} not available", "Item {0} indisponível", "Ítem {0} no disponible"),
    "FMT007": ("Total {0} is not {1}", "Total {0} difere de {1}", "Total {0} difiere de {1}"),
    "FMT009": ("Order {0} of {1} exists", "Pedido {0} de {1} já existe", "Pedido {0} {1} existe"),
    "FMT010": ("SLA {0} not available", "SLA {0} indisponível", "SLA {0} no disponible"),
    "FMT015": ("Marketplace id missing", "Sem id do marketplace", "Sin id del marketplace"),
    "FMT017": ("Reservation without TTL", "Reserva sem TTL", "Reserva sin TTL"),
    "FMT0021": ("Bad affiliate {0}", "Afiliado {0} inválido", "Afiliado {0} no válido"),
    "FMT0022": ("Reservation {0} not found", "Reserva {0} ausente", "Reserva {0} ausente"),
    "FMT0026": ("Order is empty", "Pedido vazio", "Pedido vacío"),
    "FMT0029": ("Bad search version", "Versão de busca inválida", "Versión no válida"),
    "FMT0031": ("Affiliate id takes 3 letters", "Id precisa de 3 letras", "Id de 3 letras"),
    "FMT0032": ("Bad e-mail", "E-mail inválido", "Correo no válido"),
    "FMT0034": ("Bad affiliate name", "Nome de afiliado inválido", "Nombre no válido"),
    "FMT0035": ("Affiliate name is taken", "Nome já usado", "Nombre ya usado"),
    "FMT0036": ("Bad sales channel", "Canal de vendas inválido", "Canal de venta no válido"),
    "FMT0038": ("Bad quantity", "Quantidade inválida", "Cantidad no válida"),
    "FMT0039": ("Bad item id", "Id de item inválido", "Id de ítem no válido"),
    "FMT0040": ("Bad seller", "Seller inválido", "Seller no válido"),
    "FMT0041": ("Bad price", "Preço inválido", "Precio no válido"),
    "FMT0042": ("Bad payment value", "Valor de pagamento inválido", "Valor no válido"),
    "FMT0045": ("Profile required", "Perfil obrigatório", "Perfil obligatorio"),
    "FMT0058": ("Two SLAs for item {0}", "Dois SLAs no item {0}", "Dos SLA en {0}"),
    "FMT0060": ("Order {0} was canceled", "Pedido {0} cancelado", "Pedido {0} cancelado"),
    "FMT0061": ("Bad pickup point {0}", "Ponto {0} inválido", "Punto {0} no válido"),
    "FMT0070": ("Services endpoint missing", "Sem endpoint", "Sin endpoint"),
    "FMT0071": ("Marketplace id differs", "Id do marketplace difere", "Id distinto"),
    "FMT0072": ("Several addresses", "Vários endereços", "Varias direcciones"),
    "FMT0074": ("Postal code or geo needed", "Falta CEP ou geo", "Falta código postal"),
    "FMT0077": ("Bad TTL {0}", "TTL {0} inválido", "TTL {0} no válido"),
    "FMT0079": ("Bad estimate {0}", "Prazo {0} inválido", "Plazo {0} no válido"),
    "FMT0089": ("Item index repeated", "Índice repetido", "Índice repetido"),
    "FMT0096": ("Bad tracking hint", "Rastreio inválido", "Rastreo no válido"),
    "FMT0104": ("Too many items", "Itens demais", "Demasiados ítems"),
    "order": ("Order not found", "Pedido não encontrado", "Pedido no encontrado"),
}
_LOCALES = ("en", "pt", "es")


def error_text(code: str, locale: str, *values: object) -> str:
    """What an error says in the store's language."""
    texts = _TEXTS.get(code, _TEXTS["1"])
    return texts[_LOCALES.index(locale) if locale in _LOCALES else 0].format(*values)


def error_body(code: str, text: str) -> dict[str, Any]:
    """The classic error object."""
    return {"error": {"code": code, "message": text, "exception": None}}


def refusal(code: str, locale: str, *values: object, status: int = 400) -> Response:
    """A classic refusal; codes that are no VTEX codes are told as the generic ``1``."""
    text = error_text(code, locale, *values)
    known = code[:3] in {"FMT", "CHK", "ORD", "OMS"}
    return json_response(error_body(code if known else "1", text), status)


def problem(title: str, status: int, trace: str) -> Response:
    """A refusal in the newer problem format."""
    section = {401: "15.5.2", 403: "15.5.4", 404: "15.5.5"}.get(status, "15.5.1")
    return json_response(
        {
            "type": f"https://tools.ietf.org/html/rfc9110#section-{section}",
            "title": title,
            "status": status,
            "traceId": trace,
        },
        status,
    )
