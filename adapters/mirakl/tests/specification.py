"""Checks requests and answers against Mirakl's own OpenAPI document, as strictly as it allows.

What the document itself leaves open is allowed: paging and locale parameters are only described in
prose; values of enumerations stand in descriptions; any field may be null, as its examples show;
decimals may be text; most error answers are not modelled.
"""

import json
import re
from datetime import datetime
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from adapters.mirakl.market.forms import form_parts

DOCUMENT = "marketplaces/specs/mirakl/mirakl-mmp-seller-openapi.json"
_SHARED = {"max", "offset", "sort", "order", "locale", "limit", "page_token"}
_ENUM = re.compile(r'Enum: ((?:`"[^`]*"`(?:, )?)+)')
_TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


@cache
def specification(folder):
    """The document below a folder of reference material."""
    return Specification(json.loads((Path(folder) / DOCUMENT).read_text(encoding="utf-8")))


class Specification:
    """Mirakl's seller API as it is published."""

    def __init__(self, document):
        self.document = document
        self.operations = [
            (method.upper(), _pattern(path), path.count("{"), operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if method in {"get", "put", "post", "delete", "patch"}
        ]

    def operation(self, request):
        """The operation a request is one of, literal paths first; None where there is none."""
        path = request.url.split("?", 1)[0]
        found = [
            (variables, operation)
            for method, pattern, variables, operation in self.operations
            if method == request.method and pattern.fullmatch(path)
        ]
        return min(found, key=lambda pair: pair[0], default=(0, None))[1]

    def problems_of_request(self, request):
        """Everything in a request that the document does not know, or misses."""
        operation = self.operation(request)
        if operation is None:
            return [f"there is no {request.method} {request.url}"]
        told = {each["name"]: each for each in map(self._deref, operation.get("parameters", ()))}
        query = {name for name, each in told.items() if each["in"] == "query"}
        wrong = [f"query {name}" for name in request.query if name not in query | _SHARED]
        wrong += [
            f"query {name} is missing"
            for name, each in told.items()
            if each["in"] == "query" and each.get("required") and name not in request.query
        ]
        for name in query & set(request.query):
            wrong += self._check_query(told[name], request.query[name])
        return wrong + self._check_body(operation, request)

    def problems_of_answer(self, request, response):
        """Everything in an answer that the document does not know, or misses."""
        operation = self.operation(request)
        answers = operation["responses"]
        status = str(response.status)
        if response.status >= 400:
            return []
        if status not in answers:
            return [f"status {status}, the document has {sorted(answers)}"]
        content = self._deref(answers[status]).get("content") or {}
        if "application/json" not in content:
            return [] if content or not response.body else ["a body where there should be none"]
        return self._check(content["application/json"]["schema"], response.json(), "answer")

    def _check_query(self, parameter, text):
        schema = self._deref(parameter.get("schema") or {})
        name, kind = parameter["name"], schema.get("type")
        if kind == "integer" and not text.isdecimal():
            return [f"query {name} is no number: {text}"]
        if kind == "boolean" and text not in {"true", "false"}:
            return [f"query {name} is no boolean: {text}"]
        if schema.get("format") == "date-time":
            return _check_moment(text, f"query {name}")
        return []

    def _check_body(self, operation, request):
        body = operation.get("requestBody")
        if body is None:
            return ["a body where there should be none"] if request.body else []
        content = self._deref(body)["content"]
        kind = request.headers.get("content-type", "").split(";")[0]
        if kind not in content:
            return [f"content type {kind!r}, the document has {sorted(content)}"]
        schema = content[kind]["schema"]
        if kind == "application/json":
            return self._check(schema, request.json(), "request")
        return self._check(schema, self._form(schema, request), "request")

    def _form(self, schema, request):
        """A form as JSON would have it."""
        properties = self._deref(schema)["properties"]
        form = {}
        for part in form_parts(request):
            kind = self._deref(properties.get(part.name, {})).get("type")
            text = part.content.decode("utf-8", "replace")
            if kind == "array":
                form.setdefault(part.name, []).append(text)
            elif kind in {"object", "boolean", "integer"}:
                form[part.name] = json.loads(text)
            else:
                form[part.name] = text
        return form

    def _check(self, schema, value, place):
        schema = self._deref(schema)
        if value is None:
            return []
        for several in ("oneOf", "anyOf"):
            if several in schema:
                tries = [self._check(each, value, place) for each in schema[several]]
                return min(tries, key=len)
        kind = schema.get("type")
        if kind in {"number", "integer"} and isinstance(value, str):
            decimal = re.fullmatch(r"-?\d+(\.\d+)?", value)
            return [] if decimal else [f"{place}: {value!r} is no number"]
        if kind in _TYPES and (not isinstance(value, _TYPES[kind]) or _is_odd(kind, value)):
            return [f"{place}: {type(value).__name__} where {kind} is expected"]
        if kind == "object":
            return self._check_object(schema, value, place)
        if kind == "array":
            rows = enumerate(value)
            return [
                w for i, row in rows for w in self._check(schema["items"], row, f"{place}[{i}]")
            ]
        return _check_text(schema, value, place) if kind == "string" else []

    def _check_object(self, schema, value, place):
        properties = schema.get("properties")
        if properties is None:
            return []
        required = schema.get("required") or []
        wrong = [f"{place}.{name} is missing" for name in required if name not in value]
        # The value of a custom field has any type, and no place in the document's schemas.
        open_to = {"value"} if "code" in properties else set()
        for name, inner in value.items():
            if name in properties:
                wrong += self._check(properties[name], inner, f"{place}.{name}")
            elif name not in open_to:
                wrong.append(f"{place}.{name} is not in the document")
        return wrong

    def _deref(self, schema):
        while "$ref" in schema:
            found = self.document
            for part in schema["$ref"][2:].split("/"):
                found = found[unquote(part)]
            schema = found
        return schema


def _pattern(path):
    parts = re.split(r"(\{\w+\})", path)
    return re.compile("".join("[^/]+" if p.startswith("{") else re.escape(p) for p in parts))


def _is_odd(kind, value):
    """A boolean is an integer to Python, and to nobody else."""
    return kind in {"integer", "number"} and isinstance(value, bool)


def _check_text(schema, value, place):
    if schema.get("format") == "date-time":
        return _check_moment(value, place)
    found = _ENUM.search(schema.get("description") or "")
    if found and value not in re.findall(r'"([^"]*)"', found[1]):
        return [f"{place}: {value!r} is none of {found[1]}"]
    return []


def _check_moment(text, place):
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return [f"{place}: {text!r} is no moment"]
    return [] if moment.tzinfo else [f"{place}: {text!r} has no zone"]
