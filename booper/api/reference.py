"""GET /api/openapi.json and /api/reference: the API for machines, and the same for people.

The page is one document without scripts and without anything from elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Any

from quart import Response, current_app

from booper.api.operation import Operations
from booper.api.render import rendered
from booper.domain.caller import Who

operations = Operations("reference")

DOCUMENT = "booper_openapi"  # where the app keeps it: extensions
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
nav { columns: 16rem; margin-bottom: 2rem; } nav a { display: block; }
h2 { border-bottom: 1px solid var(--line); margin-top: 3rem; text-transform: capitalize; }
h3 { margin: 2rem 0 .25rem; } h3 code { font-size: 1rem; overflow-wrap: anywhere; }
b.m { display: inline-block; min-width: 4.5rem; font: bold 1rem ui-monospace, monospace; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; font-size: .9rem; }
td, th { text-align: left; vertical-align: top; border-bottom: 1px solid var(--line);
  padding: .2rem .6rem .2rem 0; overflow-wrap: anywhere; }
code { background: var(--soft); border-radius: 3px; padding: 0 .25rem; }
details { margin: .25rem 0; } .who { font-size: .9rem; opacity: .8; }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; frame-ancestors 'none'"


@operations.get("/api/openapi.json", answers={200: dict[str, Any]}, callers=Who.UNASKED)
async def document() -> Response:
    """This document: OpenAPI 3.1."""
    return rendered(current_app.extensions[DOCUMENT])


@operations.get("/api/reference", answers={200: "text/html"}, callers=Who.UNASKED)
async def reference() -> Response:
    """The API as a page to read."""
    page = written(current_app.extensions[DOCUMENT])
    headers = {"Content-Security-Policy": _POLICY}
    return Response(page, content_type="text/html; charset=utf-8", headers=headers)


def written(document: dict[str, Any]) -> str:
    """The document as HTML."""
    groups: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            groups.setdefault(one["tags"][0], []).append((method.upper(), path, one))
    parts = [_contents(groups)]
    for tag, found in groups.items():
        parts.append(f'<h2 id="{escape(tag)}">{escape(tag.replace("_", " "))}</h2>')
        parts += [_operation(method, path, one) for method, path, one in found]
    parts.append('<h2 id="schemas">Schemas</h2>')
    for name, schema in sorted(document["components"]["schemas"].items()):
        parts.append(_schema(name, schema))
    title = f"{document['info']['title']} {document['info']['version']}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}: API</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1><p>{escape(document['info']['description'])} "
        'For machines: <a href="/api/openapi.json">openapi.json</a>.</p>'
        f"{''.join(parts)}</body></html>"
    )


def _contents(groups: dict[str, list[tuple[str, str, dict[str, Any]]]]) -> str:
    links = "".join(
        f'<a href="#{escape(one["operationId"])}">{method} {escape(path)}</a>'
        for found in groups.values()
        for method, path, one in found
    )
    return f'<nav aria-label="Operations">{links}<a href="#schemas">Schemas</a></nav>'


def _operation(method: str, path: str, one: dict[str, Any]) -> str:
    who = ["anyone" if not way else next(iter(way)) for way in one["security"]]
    rows = [
        (f"{p['name']} ({p['in']})", _kind(p["schema"]), "required" if p["required"] else "")
        for p in one["parameters"]
    ]
    body = "".join(
        f"<p>Body, <code>{escape(media)}</code>: {_kind(content['schema'])}</p>"
        for media, content in one.get("requestBody", {}).get("content", {}).items()
    )
    good = {s: a for s, a in one["responses"].items() if int(s) < 400}
    bad = {s: a for s, a in one["responses"].items() if int(s) >= 400}
    answers = [(status, _content(answer), "") for status, answer in good.items()]
    problems = [(status, escape(answer["description"]), "") for status, answer in bad.items()]
    return (
        f'<section id="{escape(one["operationId"])}"><h3><b class="m">{method}</b> '
        f"<code>{escape(path)}</code></h3><p>{escape(one['summary'])} "
        f"{escape(one.get('description', ''))}</p>"
        f'<p class="who">For: {escape(", ".join(dict.fromkeys(who)) or "anyone")}</p>'
        f"{_table(rows)}{body}{_table(answers)}"
        f"<details><summary>Problems</summary>{_table(problems)}</details></section>"
    )


def _content(answer: dict[str, Any]) -> str:
    for media, content in answer.get("content", {}).items():
        return f"{_kind(content['schema'])} <code>{escape(media)}</code>"
    return "no body"


def _schema(name: str, schema: dict[str, Any]) -> str:
    needed = schema.get("required", ())
    rows = [
        (field, _kind(kind), "required" if field in needed else "")
        for field, kind in schema.get("properties", {}).items()
    ]
    if "enum" in schema:
        rows = [("one of", " ".join(f"<code>{escape(str(v))}</code>" for v in schema["enum"]), "")]
    text = escape(schema.get("description", ""))
    return (
        f'<section id="schema-{escape(name)}"><h3>{escape(name)}</h3>'
        f"<p>{text}</p>{_table(rows)}</section>"
    )


def _kind(schema: dict[str, Any]) -> str:
    """What a value is, in a few words of HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#schema-{name}">{name}</a>'
    for several in ("anyOf", "allOf"):
        if several in schema:
            return " or ".join(_kind(one) for one in schema[several])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}" if "items" in schema else "list"
    more = [f"{key} {schema[key]}" for key in _BOUNDS if key in schema]
    return escape(" ".join([str(schema.get("type", "anything")), *more]))


_BOUNDS = ("format", "minLength", "maxLength", "minimum", "maximum", "pattern")


def _table(rows: list[tuple[str, str, str]]) -> str:
    """Rows of (text, HTML, text)."""
    if not rows:
        return ""
    cells = "".join(
        f"<tr><th>{escape(name)}</th><td>{what}</td><td>{escape(more)}</td></tr>"
        for name, what, more in rows
    )
    return f"<table>{cells}</table>"
