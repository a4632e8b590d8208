"""The language of the pages: the English of the code, or its translation in locale/.

As in GNU gettext a message is known by its English text and holds ``%(name)s`` for what varies.
Without a translation it stays English. What a report says in words is data: a text that fits a
message of locale/LANGUAGE/reports.yaml is translated, any other is shown as it is.
"""

import contextlib
import functools
import gettext
import re
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup

CATALOGUES = Path(__file__).parent / "locale"
TAGS = {"en": "en", "zh": "zh-CN"}  # the lang attribute of HTML, by language
_BETWEEN = "; "  # separates two remarks in a report
_PLACE = re.compile(r"%\((\w+)\)s")
_language = ContextVar("language", default="en")


class English(str):
    """An English text on a page in another language, marked as English in the HTML."""

    __slots__ = ()

    def __html__(self) -> str:
        return Markup('<span lang="en">{}</span>').format(str(self))


class Spoken(gettext.NullTranslations):
    """The translations, as Jinja2's extension for gettext asks for them."""

    def gettext(self, message: str) -> str:
        """Return a message in the language of the page, its ``%(name)s`` unfilled."""
        return translate(message)


@contextlib.contextmanager
def speaking(language: str) -> Iterator[None]:
    """Write pages in a language."""
    before = _language.set(language)
    try:
        yield
    finally:
        _language.reset(before)


def is_english() -> bool:
    """Return whether the page is in English."""
    return _language.get() == "en"


def space() -> str:
    """Return what separates two sentences."""
    return " " if is_english() else ""


def mark(message: str) -> str:
    """Return a message as it is: it is translated where it is shown, by `say` or `known`."""
    return message


def translate(message: str) -> str:
    """Return a message in the language of the page, or in English where it has no translation."""
    return message if is_english() else catalogue(_language.get()).get(message, message)


def say(message: str, **values: Any) -> str:
    """Return a message in the language of the page, with its ``%(name)s`` filled."""
    return translate(message) % values


def reported(text: str) -> str:
    """Return a report's text in the language of the page where it fits a known message."""
    if is_english():
        return text
    if text in catalogue(_language.get()):
        return say(text)
    if " " not in text:
        return text  # a digest, a path or a figure is the same in every language
    for pattern, translation in _patterns(_language.get()):
        if found := pattern.fullmatch(text):
            return translation % {name: reported(part) for name, part in found.groupdict().items()}
    parts = [reported(part) for part in text.split(_BETWEEN)] if _BETWEEN in text else []
    if not parts or any(isinstance(part, English) for part in parts):
        return English(text)
    return say(_BETWEEN).join(parts)


@functools.cache
def catalogue(language: str) -> dict[str, str]:
    """Return the translations of a language, by English message."""
    paths = sorted((CATALOGUES / language).glob("*.yaml"))
    return {each["en"]: each[language] for path in paths for each in read(path)}


def read(path: Path) -> list[dict[str, str]]:
    """Return the messages of a file of translations, each by language."""
    entries: list[dict[str, str]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return entries


@functools.cache
def _patterns(language: str) -> list[tuple[re.Pattern[str], str]]:
    """Return the reports' messages that have places to fill, as patterns, the longest first."""
    entries = read(CATALOGUES / language / "reports.yaml")
    varying = [each for each in entries if _PLACE.search(each["en"])]
    varying.sort(key=lambda each: -len(_PLACE.sub("", each["en"])))
    return [(_compile(each["en"]), each[language]) for each in varying]


def _compile(message: str) -> re.Pattern[str]:
    """Return the pattern of a message, whose ``%(name)s`` each match one remark."""
    parts = _PLACE.split(message)  # text and names alternate
    return re.compile(
        "".join(
            f"(?P<{part}>(?:(?!{_BETWEEN}).)+?)"
            if index % 2
            else re.escape(part.replace("%%", "%"))
            for index, part in enumerate(parts)
        ),
        re.DOTALL,
    )
