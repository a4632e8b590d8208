"""RESULTS.md after a new run: its figures are replaced, what was written by hand is not."""

import re

from benchmarks.__main__ import COMPARISONS, RESULTS, replace_section

BY_HAND = {"crash"}  # sections that no comparison writes


def test_a_new_run_replaces_the_figures_and_keeps_the_notes() -> None:
    text = "# Results\n\n## head\n\nold\n\nNotes:\n\nwhy\n\nand how\n\n## header\n\nother\n"
    new = replace_section(text, "head", ["new", "", "| 1 |"])
    kept = "\n\nNotes:\n\nwhy\n\nand how\n\n## header\n\nother\n"
    assert new == f"# Results\n\n## head\n\nnew\n\n| 1 |{kept}"
    assert replace_section(new, "head", ["new", "", "| 1 |"]) == new


def test_a_section_without_notes_is_replaced_and_a_new_one_comes_last() -> None:
    text = replace_section(replace_section("# Results\n", "a", ["1"]), "b", ["2"])
    assert text == "# Results\n\n## a\n\n1\n\n## b\n\n2\n"
    assert replace_section(text, "a", ["3"]) == "# Results\n\n## a\n\n3\n\n## b\n\n2\n"


def test_a_run_of_every_comparison_keeps_all_notes_of_the_file_itself() -> None:
    before = RESULTS.read_text()
    after = before
    for name in COMPARISONS:
        after = replace_section(after, name, ["made"])
    assert _notes(after) == _notes(before)
    assert len(_notes(before)) > 5
    assert {*re.findall(r"^## (.+)$", before, re.MULTILINE)} <= {*COMPARISONS, *BY_HAND}


def _notes(text: str) -> dict[str, str]:
    sections = (part.partition("\n") for part in text.split("\n## ")[1:])
    notes = {name: body.partition("\nNotes:\n")[2] for name, _, body in sections}
    return {name: note for name, note in notes.items() if note}
