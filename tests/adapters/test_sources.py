"""Against files written here: what is read is what was written, and what is broken is named."""

import gzip
import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from pipeline.adapters import sources
from pipeline.errors import InputError

ROWS = [{"text": "One, two\nthree", "label": 1}, {"text": 'Grüße "you"', "label": 0}]


def read(folder: Path, *required: str) -> list[tuple[str, int, dict[str, Any]]]:
    return [
        (batch.file, number, row)
        for batch in sources.read(folder, required or ("text",))
        for number, row in zip(batch.numbers, batch.rows, strict=True)
    ]


def write_jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))


def write_csv(path: Path) -> None:
    path.write_text('label,text,more\n1,"One, two\nthree",x\n0,"Grüße ""you""",y\n')


def write_parquet(path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)


WRITERS = {"a.jsonl": write_jsonl, "a.csv": write_csv, "a.parquet": write_parquet}


@pytest.mark.parametrize("name", WRITERS)
def test_each_kind_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    found = [
        (number, row["text"], int(row["label"]))
        for _, number, row in read(tmp_path, "text", "label")
    ]
    assert found == [(n, row["text"], row["label"]) for n, row in enumerate(ROWS, 1)]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_a_gzip_file_gives_the_rows_of_the_plain_one(tmp_path: Path, name: str) -> None:
    (tmp_path / "plain").mkdir()
    WRITERS[name](tmp_path / "plain" / name)
    packed = tmp_path / "packed" / f"{name}.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress((tmp_path / "plain" / name).read_bytes()))
    plain = [row for _, _, row in read(tmp_path / "plain")]
    assert [row for _, _, row in read(tmp_path / "packed")] == plain


def test_text_is_parted_by_blank_lines_or_else_by_lines(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("\n\nOne\ntwo\n \nthree\n")
    (tmp_path / "lines.txt").write_text("one\ntwo\n")
    assert read(tmp_path) == [
        ("book.txt", 3, {"text": "One\ntwo"}),
        ("book.txt", 6, {"text": "three"}),
        ("lines.txt", 1, {"text": "one"}),
        ("lines.txt", 2, {"text": "two"}),
    ]


def test_files_are_read_in_the_order_of_their_names_and_hidden_ones_not(tmp_path: Path) -> None:
    for name in ("b.txt", "sub/a.txt", "a.txt", ".hidden.txt", ".ipynb_checkpoints/a.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert [file for file, _, _ in read(tmp_path)] == ["a.txt", "b.txt", "sub/a.txt"]


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("\ufefftext\nfine\n".encode())
    (tmp_path / "b.jsonl").write_bytes(b'\xef\xbb\xbf{"text": "fine"}\n')
    assert [row["text"] for _, _, row in read(tmp_path)] == ["fine", "fine"]


def test_half_a_surrogate_pair_becomes_damage_that_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a\\ud83d b"}\n{"text": "\\ud83d\\ude00"}\n')
    assert [row["text"] for _, _, row in read(tmp_path)] == ["a\ufffd b", "😀"]


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    line = json.dumps({"text": "word " * 200}) + "\n"
    peaks = []
    for rows in (6_000, 18_000):
        (tmp_path / "a.jsonl").write_text(line * rows)
        tracemalloc.start()
        assert sum(len(batch.rows) for batch in sources.read(tmp_path, ("text",))) == rows
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def put(name: str, data: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_bytes(data)

    return write


def no_folder(folder: Path) -> None:
    folder.rmdir()


def column_of_bytes(folder: Path) -> None:
    """A string column whose bytes are no UTF-8, as other programs may write it."""
    binary = pyarrow.array([b"fine", b"caf\xe9"], pyarrow.binary())
    text = pyarrow.Array.from_buffers(pyarrow.string(), 2, binary.buffers())
    pyarrow.parquet.write_table(pyarrow.table({"text": text}), folder / "a.parquet")


def half_a_parquet(folder: Path) -> None:
    write_parquet(folder / "a.parquet")
    whole = (folder / "a.parquet").read_bytes()
    (folder / "a.parquet").write_bytes(whole[: len(whole) // 2])


def times(*values: int, unit: str = "ms", zone: str | None = None) -> Callable[[Path], None]:
    """A column of times, as other programs may write it."""

    def write(folder: Path) -> None:
        column = pyarrow.array(values, pyarrow.timestamp(unit, zone))
        pyarrow.parquet.write_table(pyarrow.table({"text": column}), folder / "a.parquet")

    return write


def link(to: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder.parent / "elsewhere").mkdir()
        (folder.parent / "elsewhere" / "a.txt").write_text("fine\n")
        (folder / "a.txt").write_text("fine\n")
        (folder / "more").symlink_to(to)

    return write


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "a.jsonl")


def name_of_bytes(folder: Path) -> None:
    Path(os.fsdecode(bytes(folder) + b"/caf\xe9.txt")).write_text("fine\n")


# What is wrong -> how to make it, and what the message must name.
BAD = {
    "no folder": (no_folder, ["no such folder"]),
    "empty folder": (put(".keep", b""), ["holds no file", ".jsonl"]),
    "another kind of file": (put("a.docx", b"PK"), ["a.docx", ".jsonl"]),
    "parquet in gzip": (put("a.parquet.gz", b""), ["a.parquet.gz"]),
    "not JSON": (put("a.jsonl", b'{"text": "a"}\n{"text": \n'), ["a.jsonl line 2", "not JSON"]),
    "a JSON list": (put("a.jsonl", b'{"text": "a"}\n["b"]\n'), ["a.jsonl line 2", "list"]),
    "JSON too deep": (put("a.jsonl", b"[" * 200_000), ["a.jsonl line 1", "not JSON"]),
    "a pretty-printed JSON file": (put("a.jsonl", b'[\n {"text": "a"}\n]'), ["a.jsonl line 1"]),
    "JSONL not UTF-8": (
        put("a.jsonl", b'{"text": "a"}\n{"text": "\xe9"}\n'),
        ["a.jsonl line 2", "UTF-8"],
    ),
    "text not UTF-8": (put("a.txt", b"fine\ncaf\xe9\n"), ["a.txt line 2", "UTF-8"]),
    "CSV not UTF-8": (put("a.csv", b"text\nfine\ncaf\xe9\n"), ["a.csv line 3", "UTF-8"]),
    "UTF-16": (put("a.csv", "text\nfine\n".encode("utf-16")), ["a.csv line 1", "UTF-8"]),
    "gzip cut short": (
        put("a.jsonl.gz", gzip.compress(b'{"text": "a"}\n' * 9999)[:-20]),
        ["a.jsonl.gz", "gzip"],
    ),
    "not gzip": (put("a.jsonl.gz", b'{"text": "a"}\n'), ["a.jsonl.gz", "gzip"]),
    "column misspelt": (put("a.jsonl", b'{"txt": "a"}\n'), ["a.jsonl", "did you mean 'txt'"]),
    "CSV without the column": (put("a.csv", b"label,Text\n1,a\n"), ["a.csv", "'Text'"]),
    "CSV of other separators": (put("a.csv", b"text;label\na;1\n"), ["a.csv", "text;label"]),
    "CSV with no header": (put("a.csv", b""), ["a.csv", "no column 'text'"]),
    "CSV with too many fields": (put("a.csv", b"text,label\na,b,1\n"), ["a.csv row 1", "3 fields"]),
    "CSV quote left open": (put("a.csv", b'text\n"fine\n'), ["a.csv line 2", "not CSV"]),
    "not Parquet": (put("a.parquet", b"text\nfine\n"), ["a.parquet", "Parquet"]),
    "Parquet cut short": (half_a_parquet, ["a.parquet", "Parquet"]),
    "Parquet not UTF-8": (column_of_bytes, ["a.parquet", "utf-8"]),
    "Parquet with a year that Python has not": (times(1 << 60), ["a.parquet", "Parquet"]),
    "Parquet with a day beyond the last": (times(1 << 48), ["a.parquet", "Parquet"]),
    "Parquet in a zone that is none": (times(0, zone="Mars/Olympus"), ["a.parquet", "Mars"]),
    "a link to a folder": (link("../elsewhere"), ["corpus/more", "is not followed"]),
    "a link to nothing": (link("nowhere"), ["corpus/more", "is not followed"]),
    "a link to itself": (link("more"), ["corpus/more", "is not followed"]),
    "a pipe": (pipe, ["a.jsonl", "is no file"]),
    "a name that is not UTF-8": (name_of_bytes, ["caf\\udce9.txt", "rename"]),
}


@pytest.mark.parametrize(("make", "named"), BAD.values(), ids=BAD)
def test_what_cannot_be_read_is_named_with_its_place(
    tmp_path: Path, make: Callable[[Path], None], named: list[str]
) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    make(folder)
    with pytest.raises(InputError) as refused:
        read(folder)
    for words in named:
        assert words in str(refused.value)


def test_plain_text_cannot_be_labelled(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("fine\n")
    with pytest.raises(InputError, match=r"a\.txt: no column 'label'"):
        read(tmp_path, "text", "label")
