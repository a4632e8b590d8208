"""WinoBias' files: which sentences can be asked, and which are left out and counted."""

from pathlib import Path

import pytest

from pipeline.adapters import winobias
from pipeline.errors import InputError

PRO = (
    "1 [The smith] met the nurse because [he] was late.",
    "2 The smith paid [the nurse] and thanked [her].",
)
ANTI = (
    "1 [The smith] met the nurse because [she] was late.",
    "2 The smith paid [the nurse] and thanked [him].",
)


def write(folder: Path, pro: tuple[str, ...] = PRO, anti: tuple[str, ...] = ANTI) -> Path:
    for path in winobias.paths(folder):
        lines = pro if path.name.startswith("pro") else anti
        path.write_text("".join(f"{line}\n" for line in lines))
    return folder


def test_a_pair_is_one_sentence_with_both_pronouns(tmp_path: Path) -> None:
    read, left_out = winobias.read_sentences(write(tmp_path), None)
    assert (len(read), left_out) == (8, 0)  # two lines in each of four pairs of files
    first, second = read[:2]
    assert (first.before, first.after) == ("The smith met the nurse because ", " was late.")
    assert (first.his, first.hers, first.occupation, first.male) == ("he", "she", "smith", True)
    assert (second.his, second.hers, second.occupation) == ("him", "her", "nurse")
    assert (second.male, second.task, read[-1].task) == (False, "type1", "type2")


@pytest.mark.parametrize(
    ("pro", "anti"),
    [
        ("[The cook] saw [his] cat and [his] dog.", "[The cook] saw [her] cat and [her] dog."),
        ("[The cook] says [he] is late.", "[The cook] says [she] was late."),
        ("[The cook] says [he] is late.", "[The cook] says [him] is late."),
        ("[The cook] says [he] is late.", "[The cook] says [he] is late."),
        ("The cook says [he] is late.", "The cook says [she] is late."),
    ],
)
def test_versions_that_differ_otherwise_are_left_out_and_counted(
    pro: str, anti: str, tmp_path: Path
) -> None:
    write(tmp_path, (*PRO, pro), (*ANTI, anti))
    read, left_out = winobias.read_sentences(tmp_path, None)
    assert (len(read), left_out) == (8, 4)


def test_a_sample_does_not_change_what_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, (*PRO, "none"), (*ANTI, "none"))
    read, left_out = winobias.read_sentences(tmp_path, 3)
    assert (len(read), left_out) == (3, 4)


def test_files_that_do_not_belong_together_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"pro_stereotyped_type1\.dev\.txt: not found"):
        winobias.read_sentences(tmp_path, None)
    with pytest.raises(InputError, match=r"anti.*type1\.dev\.txt: 1 lines to the other's 2"):
        winobias.read_sentences(write(tmp_path, PRO, ANTI[:1]), None)
    with pytest.raises(InputError, match="no pair of sentences"):
        winobias.read_sentences(write(tmp_path, PRO, PRO), None)
