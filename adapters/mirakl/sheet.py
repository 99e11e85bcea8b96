"""One page of PDF that states an invoice's data, for operators that take no XML. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from connector.sdk import Invoice, Money

_TOP, _LEFT, _STEP = 780, 60, 18


def invoice_sheet(invoice: Invoice) -> bytes:
    """The data of an invoice, and that this is not the invoice itself."""
    told = (
        ("", "Invoice data / Dados da nota fiscal"),
        ("", "This page states the data of an invoice. It is not the invoice itself."),
        ("", ""),
        ("Invoice number", invoice.number),
        ("Access key", invoice.key),
        ("Issued at", invoice.issued_at.isoformat() if invoice.issued_at else ""),
        ("Value", str(Money(invoice.value_minor, invoice.currency))),
        ("Document", invoice.url),
        *((f"Item {sku}", f"{quantity} un") for sku, quantity in invoice.items),
    )
    return pdf([f"{name}: {text}" if name else text for name, text in told if text or not name])


def pdf(lines: Sequence[str]) -> bytes:
    """Lines of text on one page; what Latin-1 does not have becomes a question mark."""
    text = "\n".join(f"({_escaped(line[:95])}) Tj 0 -{_STEP} Td" for line in lines[:40])
    content = f"BT /F1 11 Tf {_LEFT} {_TOP} Td\n{text}\nET".encode("latin-1", "replace")
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
            b"/Resources << /Font << /F1 5 0 R >> >> >>"
        ),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    )
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n" % (len(objects) + 1)
    return bytes(out + b"%d\n%%%%EOF\n" % start)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
