"""Signs that a text's bytes were read in the wrong encoding, or lost."""

import re

# What Windows-1252 and Latin-1 make of the second and third bytes of UTF-8, 80 to BF.
_TAIL = "".join(map(chr, range(0x80, 0xC0))) + bytes(range(0x80, 0xA0)).decode("cp1252", "ignore")
_DAMAGE = re.compile(
    "\N{REPLACEMENT CHARACTER}"  # what a decoder puts for a byte that it cannot read
    "|[\x80-\x9f]"  # C1 controls: bytes of Windows-1252 read as Latin-1
    f"|[ÂÃ][{_TAIL}]"  # UTF-8 of U+0080 to U+00FF read as either
    f"|â€[{_TAIL}]"  # UTF-8 of curly quotes, dashes and dots read as Windows-1252
    "|[ÐÑ][\x80-\xbf]"  # UTF-8 of Cyrillic read as Latin-1
    '|"\\?(?=[\\w"])'  # a curly quote or dash and a space that became `"?`, as in `DeVos"?highly`
)


def is_damaged(text: str) -> bool:
    """Return whether the text bears a sign of encoding damage."""
    if text.isascii() and '"?' not in text:  # most texts, and ten times as fast
        return False
    return _DAMAGE.search(text) is not None
