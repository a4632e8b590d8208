"""The chained log: every edit, deletion, move and cut of a short log is found, by brute force."""

import hashlib
import itertools
import json

import pytest

from pipeline.errors import InputError
from pipeline.policy import chain
from pipeline.policy.chain import Head


def make_log(entries: int = 5) -> list[str]:
    lines: list[str] = []
    for number in range(entries):
        last = lines[-1] if lines else None
        lines.append(chain.link(last, {"action": "promote", "version": str(number), "name": "ü"}))
    return lines


LOG = make_log()
HEAD = chain.check(LOG, "log")


def test_each_line_holds_the_sha256_of_the_line_before() -> None:
    """Against hashlib, on the bytes as they lie on the disk."""
    entries = [json.loads(line) for line in LOG]
    assert entries[0]["previous"] == "0" * 64
    for line, after in itertools.pairwise(LOG):
        previous = json.loads(after)["previous"]
        assert previous == hashlib.sha256(line.encode("utf-8")).hexdigest()
    assert HEAD is not None
    assert (HEAD.entries, HEAD.digest) == (5, hashlib.sha256(LOG[-1].encode()).hexdigest())


def is_found(lines: list[str]) -> bool:
    assert HEAD is not None
    try:
        chain.check(lines, "log")
        chain.check_head(lines, HEAD, "log")
    except InputError:
        return True
    return False


def test_a_whole_log_and_one_that_has_grown_since_are_whole() -> None:
    assert not is_found(LOG)
    assert not is_found([*LOG, chain.link(LOG[-1], {"action": "refuse"})])


def test_every_deletion_is_found() -> None:
    """All 31 ways to keep fewer than all five entries; those cut at the end by the head only."""
    for size in range(5):
        for kept in itertools.combinations(LOG, size):
            assert is_found(list(kept)), kept


def test_every_reordering_is_found() -> None:
    for order in itertools.permutations(LOG):
        assert is_found(list(order)) == (list(order) != LOG)


def test_every_edited_character_is_found() -> None:
    for number, line in enumerate(LOG):
        for place in range(len(line)):
            other = "x" if line[place] != "x" else "y"
            changed = [*LOG]
            changed[number] = line[:place] + other + line[place + 1 :]
            assert is_found(changed), (number, place)


def test_a_repeated_and_a_foreign_entry_are_found() -> None:
    other = make_log(3)
    for place in range(6):
        assert is_found([*LOG[:place], LOG[0], *LOG[place:]]) or place == 6
        assert is_found([*LOG[:place], '{"action": "promote"}', *LOG[place:]])
    assert is_found([*other, *LOG[3:]]) == (other != LOG[:3])


def test_a_log_written_anew_is_found_by_its_head() -> None:
    """Another log, whole in itself and longer."""
    anew: list[str] = []
    for number in range(8):
        anew.append(chain.link(anew[-1] if anew else None, {"action": "refuse", "v": number}))
    chain.check(anew, "log")
    assert is_found(anew)


@pytest.mark.parametrize("line", ["", "[]", "{", "null", '"x"'])
def test_what_is_no_entry_is_named_by_its_line(line: str) -> None:
    with pytest.raises(InputError, match="log:2"):
        chain.check([LOG[0], line], "log")


def test_a_head_is_read_back_from_its_tag() -> None:
    assert HEAD is not None
    assert Head.parse(str(HEAD)) == HEAD
    for text in ("", "a:b:c", f"{'a' * 64}:-1:{'b' * 64}", f"{'a' * 64}:1:b"):
        with pytest.raises(InputError, match="not the head of a log"):
            Head.parse(text)
