"""Figures as text: rounded for reading, with interval and support."""

import functools

from pipeline.reports import Estimate
from pipeline.stages.page.language import is_english, say


def unmeasured() -> str:
    """Return what stands in place of a figure that could not be measured."""
    return say("not measured")


def decimal(value: float, digits: int = 3) -> str:
    """Return a rounded figure; what rounds to zero has no sign."""
    text = f"{value:,.{digits}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text


def count(number: int) -> str:
    """Return a count with its thousands set apart."""
    return f"{number:,}"


def interval(estimate: Estimate, digits: int = 3) -> str:
    """Return the interval alone, ``[low, high]``; empty where there is none."""
    if estimate.low is not None and estimate.high is not None:
        return f"[{decimal(estimate.low, digits)}, {decimal(estimate.high, digits)}]"
    if estimate.high is not None:
        return say("at most %(bound)s", bound=decimal(estimate.high, digits))
    if estimate.low is not None:
        return say("at least %(bound)s", bound=decimal(estimate.low, digits))
    return ""


def value(estimate: Estimate, digits: int = 3) -> str:
    """Return ``point [low, high]``; an undefined figure says so."""
    if estimate.point is None:
        return unmeasured()
    bounds = interval(estimate, digits) or say("no interval")
    separator = " " if bounds.startswith("[") else say(", ")
    return f"{decimal(estimate.point, digits)}{separator}{bounds}"


def figure(estimate: Estimate, digits: int = 3) -> str:
    """Return ``point [low, high], n = N``."""
    return say("%(value)s, n = %(n)s", value=value(estimate, digits), n=count(estimate.n))


def p_value(value: float | None) -> str:
    """Return a p-value, never as 0."""
    if value is None:
        return unmeasured()
    return say("below 0.001") if value < 0.001 else decimal(value)


def plural(number: int, noun: str) -> str:
    """Return ``1 row``, ``2 rows``; a language other than English has one form."""
    ending = "s" if is_english() and number != 1 else ""
    return f"{count(number)} {say(noun)}{ending}"


def listing(items: list[str]) -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``."""
    if len(items) < 2:
        return "".join(items)
    others = functools.reduce(
        lambda told, item: say("%(items)s, %(item)s", items=told, item=item), items[:-1]
    )
    return say("%(others)s and %(last)s", others=others, last=items[-1])


def sentence(text: str) -> str:
    """Return a text as a sentence: capitalised unless it begins with a field's name."""
    is_name = "." in text.partition(" ")[0][:-1]
    begun = text[:1].upper() + text[1:] if is_english() and not is_name else text
    if begun.endswith((".", "!", "?", "。")):
        return begun
    return say("%(sentence)s.", sentence=begun)
