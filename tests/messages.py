"""The messages of the pages, as the templates and the code have them."""

import ast
from collections.abc import Iterator
from pathlib import Path

from pipeline.policy.references import REFERENCES
from pipeline.stages.page import mitigation
from pipeline.stages.page.render import environment

PAGE = Path(mitigation.__file__).parent


def in_templates() -> Iterator[str]:
    """Yield the text of every {% trans %} and every _("...") of the templates."""
    for path in sorted((PAGE / "templates").iterdir()):
        source = path.read_text(encoding="utf-8")
        for _, _, message in environment().extract_translations(source):  # type: ignore[attr-defined]
            yield message if isinstance(message, str) else message[0]
        yield from _said_in_template(source)


def _said_in_template(source: str) -> Iterator[str]:
    from jinja2.ext import extract_from_ast

    parsed = environment().parse(source)
    for _, _, message in extract_from_ast(parsed, ["say"], babel_style=False):
        yield message[0]
    for _, _, message in extract_from_ast(parsed, ["plural"], babel_style=False):
        yield message[0]


def in_code() -> Iterator[str]:
    """Yield the text of every say("..."), mark("...") and plural(n, "...") of the code."""
    for path in sorted(PAGE.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield from _texts(node)


def _texts(call: ast.Call) -> Iterator[str]:
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    if name in {"say", "mark"}:
        given = call.args[0]
    elif name == "plural":
        given = call.args[1]
    else:
        return
    for part in ast.walk(given):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def of_laws() -> Iterator[str]:
    """Yield what the table of references says."""
    for each in REFERENCES.values():
        yield from (each.law.short, each.law.title, each.law.applies, each.place, each.subject)


def every() -> set[str]:
    """Return every message that a page may show, less those of reports."""
    return {*in_templates(), *in_code(), *of_laws()}
