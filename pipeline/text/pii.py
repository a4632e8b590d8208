"""Personal data in texts: patterns whose values are verified by check digits, ranges and registers.

Presidio does the same and more, but what it adds, names and places, needs spaCy models that no
package index has, so a run without a network could not use it; and names are no secret in news. Of
the rest, values that can be verified give few false alarms: python-stdnum knows their check digits,
lengths and registers. E-mail addresses and telephone numbers have no check digit; telephone numbers
count only in international form. National telephone numbers, postal addresses and names are not
found, so a text without findings may still be about somebody.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import stdnum.br.cpf
import stdnum.cn.ric
import stdnum.es.dni
import stdnum.fr.nir
import stdnum.iban
import stdnum.in_.aadhaar
import stdnum.luhn
import stdnum.us.ssn

from pipeline.text.words import I64, Bytes, encode


class Kind(NamedTuple):
    """A kind of personal data: a pattern for its values, and a check of those that match."""

    name: str
    pattern: re.Pattern[str]
    is_valid: Callable[[str], bool]


@dataclass(frozen=True)
class Personal:
    """What was found in D texts."""

    counts: npt.NDArray[np.int32]  # (D, KINDS) values of each kind
    masked: npt.NDArray[np.object_]  # (D,) str: the first value in a text, masked, or nothing


def _is_card(value: str) -> bool:
    """Return whether Luhn's check digit, and an issuer's prefix and length, fit (ISO/IEC 7812)."""
    digits = re.sub(r"\D", "", value)
    return _ISSUERS.fullmatch(digits) is not None and stdnum.luhn.is_valid(digits)


def _is_phone(value: str) -> bool:
    """Return whether a number has 8 to 15 digits (ITU-T E.164), and ten after +1."""
    digits = re.sub(r"\D", "", value)
    return 8 <= len(digits) <= 15 and (digits[0] != "1" or len(digits) == 11)


def _is_public_address(value: str) -> bool:
    """Return whether an IP address is routed: private and documentation ones belong to nobody."""
    try:
        return ipaddress.ip_address(value).is_global
    except ValueError:
        return False


_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}"  # Amex, Diners, JCB
    r"|(?:6011|64[4-9]\d|65\d\d)\d{12}|62\d{14,17}"  # Discover, UnionPay
)
# The order matters: text that one kind has matched is not matched again by a later kind. All
# repetitions are bounded, so that long runs of characters do not take quadratic time.
KINDS = (
    Kind(
        "email",
        re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}\b", re.I),
        lambda _: True,
    ),
    Kind(
        "iban",
        re.compile(r"\b[A-Z]{2}\d\d(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?\b"),
        lambda value: stdnum.iban.is_valid(
            value, check_country=False
        ),  # not the banks, which change
    ),
    Kind("cn_resident_id", re.compile(r"(?<!\w)\d{17}[\dXx](?!\w)"), stdnum.cn.ric.is_valid),
    Kind(
        "fr_social_security",
        re.compile(r"(?<!\w)[12] ?\d\d ?\d\d ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d(?!\w)"),
        stdnum.fr.nir.is_valid,
    ),
    Kind("phone", re.compile(r"(?<!\w)\+[1-9](?:[ ().-]{0,2}\d){6,14}(?!\w)"), _is_phone),
    Kind("card", re.compile(r"(?<![\w-])[2-6](?:[ -]?\d){12,18}(?![\w-])"), _is_card),
    Kind("us_ssn", re.compile(r"(?<![\w-])\d{3}-\d\d-\d{4}(?![\w-])"), stdnum.us.ssn.is_valid),
    Kind("br_cpf", re.compile(r"(?<!\w)\d{3}\.\d{3}\.\d{3}-\d\d(?!\w)"), stdnum.br.cpf.is_valid),
    Kind(
        "in_aadhaar",
        re.compile(r"(?<![\w-] )(?<!\w)[2-9]\d{3} \d{4} \d{4}(?!\w)"),
        stdnum.in_.aadhaar.is_valid,
    ),
    Kind("es_dni", re.compile(r"(?<!\w)\d{8}-?[A-HJ-NP-TV-Z](?!\w)"), stdnum.es.dni.is_valid),
    Kind(
        "ip_address",
        re.compile(
            r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)|(?<![\w:])[0-9a-f:]{6,39}(?![\w:])"
        ),
        _is_public_address,
    ),
)
NAMES = tuple(kind.name for kind in KINDS)

_MARGIN_BYTES = 100  # on either side of a sign: more than a value is long
_MAY_FOLLOW = re.compile(r"[ -][A-Z0-9]+$")


def find_personal(texts: Sequence[str]) -> Personal:
    """Count the values of each kind in each text, and keep the first of each text, masked."""
    counts = np.zeros((len(texts), len(KINDS)), np.int32)
    masked = np.full(len(texts), "", np.object_)
    for row, passage in _passages(texts):
        for name, value in find_values(passage):
            counts[row, NAMES.index(name)] += 1
            masked[row] = masked[row] or f"{name} {mask(value)}"
    return Personal(counts, masked)


def find_values(text: str) -> list[tuple[str, str]]:
    """Return the kind and the value of each piece of personal data, kind by kind."""
    found: list[tuple[str, str]] = []
    taken: list[tuple[int, int]] = []
    for kind in KINDS:
        for match in kind.pattern.finditer(text):
            value = _longest_valid(kind, match[0])
            start, end = match.start(), match.start() + len(value)
            if value and not any(start < right and left < end for left, right in taken):
                taken.append((start, end))
                found.append((kind.name, value))
    return found


def mask(value: str) -> str:
    """Replace every letter and digit after the first two characters by an asterisk."""
    return value[:2] + re.sub(r"[^\W_]", "*", value[2:])


def _longest_valid(kind: Kind, value: str) -> str:
    """Return the value, shortened by trailing words until it is valid; empty if it never is."""
    while not kind.is_valid(value):
        shorter = _MAY_FOLLOW.sub("", value)
        if shorter == value or not shorter:
            return ""
        value = shorter
    return value


def _passages(texts: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the row and text of each passage around a sign of a value.

    Most text has no sign, and searching for the patterns everywhere takes fifteen times as long.
    """
    buffer, starts = encode(texts)
    signs = _signs(buffer)
    rows = np.searchsorted(starts, signs, side="right") - 1
    apart = (np.diff(signs) > 2 * _MARGIN_BYTES) | (np.diff(rows) > 0)
    for group in np.split(np.arange(len(signs)), np.flatnonzero(apart) + 1) if len(signs) else []:
        row = rows[group[0]]
        start = max(starts[row], signs[group[0]] - _MARGIN_BYTES)
        end = min(starts[row + 1], signs[group[-1]] + _MARGIN_BYTES)
        yield int(row), buffer[start:end].tobytes().decode(errors="ignore")


def _signs(buffer: Bytes) -> I64:
    """Return the signs of values: an @, eight digits close together, dotted digits, two colons."""
    digits, colons = np.flatnonzero((buffer - np.uint8(48)) < 10), np.flatnonzero(buffer == 58)
    follows = np.concatenate([buffer, np.zeros(2, np.uint8)])
    dotted = digits[(follows[digits + 1] == 46) & ((follows[digits + 2] - np.uint8(48)) < 10)]
    found = [
        np.flatnonzero(buffer == 64),
        _close(digits, 8, 21),  # two separators at most between two digits
        _close(dotted, 3, 8),  # 255.255.255.255
        _close(colons, 2, 5),
    ]
    return np.sort(np.concatenate(found))


def _close(places: I64, count: int, span: int) -> I64:
    """Return the first of each ``count`` places, in order, that lie within ``span``."""
    first, last = places[: max(0, len(places) - count + 1)], places[count - 1 :]
    return first[last - first <= span]
