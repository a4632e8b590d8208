"""The messages of the pages, as the templates and the code have them."""

import ast
from collections.abc import Iterator
from pathlib import Path

from jinja2 import nodes
from jinja2.ext import GETTEXT_FUNCTIONS, extract_from_ast

from pipeline.policy.references import REFERENCES
from pipeline.stages.page import mitigation
from pipeline.stages.page.render import environment

PAGE = Path(mitigation.__file__).parent


def in_templates() -> Iterator[str]:
    """Yield the text of every {% trans %} and every _("...") of the templates."""
    for path in sorted((PAGE / "templates").iterdir()):
        yield from _said(environment().parse(path.read_text(encoding="utf-8")))


def _said(template: nodes.Template) -> Iterator[str]:
    functions = (*GETTEXT_FUNCTIONS, "say")
    for _, _, found in extract_from_ast(template, functions, babel_style=False):
        yield found[0]
    for counted in template.find_all(nodes.Filter):
        if counted.name == "plural":
            yield counted.args[0].value


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
