"""Kinds of bad input: what can be wrong with a value, a YAML file, a file of rows."""

import gzip
import io
import json
import math
from collections.abc import Iterator
from typing import Any

import pyarrow
import pyarrow.parquet

# Mutation -> value, for a value of each type: none of these may be taken for it.
_CONTAINERS: dict[str, Any] = {"an empty mapping": {}, "a mapping": {"a": 1}, "a list of it": [[]]}
_NUMBERS: dict[str, Any] = {
    "text": "7",
    "a word": "many",
    "true": True,
    "not a number": math.nan,
    "infinite": math.inf,
    "minus infinite": -math.inf,
    "negative": -1,
    **_CONTAINERS,
}
BAD_VALUES: dict[type, dict[str, Any]] = {
    bool: {"text": "yes", "one": 1, "zero": 0.0, **_CONTAINERS},
    int: {**_NUMBERS, "a fraction": 1.5, "a whole fraction": 2.0},
    float: {**_NUMBERS, "negative fraction": -0.5},
    str: {"a number": 7, "a fraction": 1.5, "true": True, **_CONTAINERS},
    list: {"a word": "word", "a number": 7, "a null in it": [None], "a mapping": {"a": 1}},
    dict: {"a word": "word", "a number": 7, "a list": ["a"], "true": True},
}

# What is wrong with a YAML file -> its bytes; none holds what either file must.
BAD_YAML: dict[str, bytes] = {
    "nothing": b"",
    "white space": b"  \n\n",
    "a comment": b"# nothing here\n",
    "null": b"null\n",
    "a word": b"word\n",
    "a number": b"7\n",
    "a list": b"- a\n- b\n",
    "two documents": b"a: 1\n---\nb: 2\n",
    "a tab": b"a:\n\tb: 1\n",
    "an open bracket": b"a: [1, 2\n",
    "an open brace": b"a: {b: 1\n",
    "an open quote": b"a: 'word\n",
    "a wrong indent": b"a:\n    b: 1\n  c: 2\n",
    "no space after the colon": b"a:1\nb:2\n",
    "a key twice": b"size: small\nsize: default\n",
    "a key twice, deep": b"a: {b: 1, b: 2}\n",
    "a list for a key": b"? [a, b]\n: 1\n",
    "a mapping for a key": b"? {a: b}\n: 1\n",
    "a number for a key": b"7: a\n",
    "a null for a key": b"~: a\n",
    "a NUL": b"a: \x00\n",
    "a control character": b"a: \x07\n",
    "Latin-1": "a: gr\xfc\xdfe\n".encode("latin-1"),
    "UTF-16": "a: b\n".encode("utf-16"),
    "half a surrogate": b"a: \xed\xa0\x80\n",
    "binary": bytes(range(256)),
    "gzip": gzip.compress(b"a: 1\n", mtime=0),
    "JSON that is cut": b'{"size": "default", "ingest": {',
    "an unknown tag": b"a: !thing b\n",
    "a Python tag": b"a: !!python/object/apply:os.system ['true']\n",
    "a Python name": b"a: !!python/name:os.system ''\n",
    "an undefined alias": b"a: *b\n",
    "an alias to itself": b"a: &b [*b]\n",
    "a mapping in itself": b"a: &b {c: *b}\n",
    "a merge with a word": b"<<: word\n",
    "a day that is none": b"a: 2026-13-45\n",
    "a tag that lies: int": b"a: !!int word\n",
    "a tag that lies: float": b"a: !!float word\n",
    "a tag that lies: bool": b"a: !!bool word\n",
    "a tag that lies: timestamp": b"a: !!timestamp word\n",
    "a tag that lies: binary": b"a: !!binary '*'\n",
    "a tag that lies: map": b"a: !!map word\n",
    "two thousand brackets": b"a: " + b"[" * 2_000 + b"]" * 2_000 + b"\n",
    "a thousand million laughs": b"".join(
        [b"a0: &a0 [x]\n"]
        + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n".encode() for n in range(1, 10)]
    ),
}

_ROW = '{"text": "A fine film.", "label": "good"}\n'


def _parquet(**columns: Any) -> bytes:
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), stream)
    return stream.getvalue()


_GOOD_PARQUET = _parquet(text=["A fine film."] * 50, label=["good"] * 50)
_GOOD_GZIP = gzip.compress(_ROW.encode() * 100, mtime=0)
_LINE_2 = {  # JSONL: the second line of three
    "not JSON": "text",
    "JSON that is cut": '{"text": "A fi',
    "a number": "7",
    "a word": '"text"',
    "a list": '["text"]',
    "null": "null",
    "two objects": '{"text": "a"} {"text": "b"}',
    "a trailing comma": '{"text": "a",}',
    "single quotes": "{'text': 'a'}",
    "a key with no quotes": '{text: "a"}',
    "a bare newline in a string": '{"text": "a\nb"}',
    "a control character in a string": '{"text": "a\x01"}',
    "a wrong escape": r'{"text": "\x41"}',
    "an escape that is cut": r'{"text": "\u12"}',
    "a key twice": '{"text": "a", "text": "b"}',
    "a comment": "// a comment",
    "ten thousand brackets": '{"text": ' + "[" * 100_000 + "]" * 100_000 + "}",
}
# Name of the file, what is wrong with it, its bytes, what the message must name beside the file.
BAD_ROWS: list[tuple[str, str, bytes, str]] = [
    *(
        ("rows.jsonl", kind, f"{_ROW}{line}\n{_ROW}".encode(), "line 2")
        for kind, line in _LINE_2.items()
    ),
    ("rows.jsonl", "Latin-1", _ROW.encode() + '{"text": "\xfc"}\n'.encode("latin-1"), "line 2"),
    ("rows.jsonl", "UTF-16", _ROW.encode("utf-16"), "line 1"),
    ("rows.jsonl", "a byte order mark in line 2", f"{_ROW}\ufeff{_ROW}".encode(), "line 2"),
    ("rows.jsonl", "one array", f"[{_ROW}]".encode(), "line 1"),
    ("rows.jsonl", "no text", b'{"label": "good"}\n', "'text'"),
    ("rows.jsonl", "no label", b'{"text": "good"}\n', "'label'"),
    ("rows.jsonl", "a name in capitals", b'{"Text": "a", "label": "b"}\n', "'text'"),
    ("rows.jsonl", "gzip under the wrong name", _GOOD_GZIP, "line 1"),
    ("rows.csv", "no header", b"A fine film.,good\nA dull one.,bad\n", "'text'"),
    ("rows.csv", "a header in capitals", b"Text,Label\na,b\n", "'text'"),
    ("rows.csv", "semicolons", b"text;label\na;b\n", "'text'"),
    ("rows.csv", "tabs", b"text\tlabel\na\tb\n", "'text'"),
    ("rows.csv", "a header of spaces", b"text , label\na,b\n", "'text'"),
    ("rows.csv", "nothing", b"", "'text'"),
    ("rows.csv", "a column twice", b"text,label,text\na,b,c\n", "'text'"),
    ("rows.csv", "a comma in a text", b"text,label\na,b\nFine, I say,b\n", "row 2"),
    ("rows.csv", "a field too few", b"text,label\na,b\na\n", "row 2"),
    ("rows.csv", "an open quote", b'text,label\na,b\n"a,b\n', "line 3"),
    ("rows.csv", "text after a quote", b'text,label\n"a"b,c\n', "line 2"),
    ("rows.csv", "Latin-1", "text,label\ngr\xfc\xdfe,b\n".encode("latin-1"), "line 2"),
    ("rows.csv", "UTF-16", "text,label\na,b\n".encode("utf-16"), "line 1"),
    ("rows.csv", "a workbook", b"PK\x03\x04" + bytes(60), "rows.csv"),
    ("rows.txt", "text with no label", b"A fine film.\n", "'label'"),
    ("rows.jsonl.gz", "not gzip", _ROW.encode(), "rows.jsonl.gz"),
    ("rows.jsonl.gz", "gzip that is cut", _GOOD_GZIP[:-12], "after line"),
    ("rows.jsonl.gz", "a wrong check sum", _GOOD_GZIP[:-8] + b"\0\0\0\0" + _GOOD_GZIP[-4:], "line"),
    ("rows.jsonl.gz", "a wrong length", _GOOD_GZIP[:-4] + b"\0\0\0\0", "line"),
    ("rows.jsonl.gz", "rubbish after it", _GOOD_GZIP + b"rubbish", "line"),
    ("rows.jsonl.gz", "a bit flipped", _GOOD_GZIP[:30] + b"\xff" + _GOOD_GZIP[31:], "line"),
    ("rows.jsonl.gz", "nothing", b"", "rows.jsonl.gz"),
    ("rows.csv.gz", "a bad line", gzip.compress(b"text,label\na\n", mtime=0), "row 1"),
    ("rows.parquet", "nothing", b"", "rows.parquet"),
    ("rows.parquet", "text", _ROW.encode(), "rows.parquet"),
    ("rows.parquet", "cut", _GOOD_PARQUET[:-9], "rows.parquet"),
    ("rows.parquet", "its head only", _GOOD_PARQUET[:60], "rows.parquet"),
    ("rows.parquet", "its data zeroed", b"PAR1" + bytes(200) + _GOOD_PARQUET[204:], "rows.parquet"),
    ("rows.parquet", "no text", _parquet(label=["good"]), "'text'"),
    ("rows.parquet", "no label", _parquet(text=["good"]), "'label'"),
    ("rows.parquet", "no column", _parquet(), "'text'"),
    ("rows.parquet.gz", "packed", gzip.compress(_GOOD_PARQUET), "rows.parquet.gz"),
    ("rows.xlsx", "another kind", b"PK\x03\x04", "rows.xlsx"),
    ("rows.json", "another kind", _ROW.encode(), "rows.json"),
    ("rows", "no kind", _ROW.encode(), "rows"),
    ("rows.pkl", "a pickle", b"\x80\x04N.", "rows.pkl"),
    ("rows.jsonl.bz2", "another packing", b"BZh9", "rows.jsonl.bz2"),
    ("rows.jsonl.zip", "an archive", b"PK\x03\x04", "rows.jsonl.zip"),
]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield the path and the value of everything in a mapping that is no mapping itself."""
    for key, item in value.items():
        yield (*path, key), item
        if isinstance(item, dict):
            yield from leaves(item, (*path, key))


def placed(raw: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return a copy of a mapping with another value at a path."""
    copy: dict[str, Any] = json.loads(json.dumps(raw))
    target: Any = copy
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = value
    return copy


def renamed(raw: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    """Return a copy of a mapping with a key misspelt."""
    copy: dict[str, Any] = json.loads(json.dumps(raw))
    target: Any = copy
    for part in path[:-1]:
        target = target[part]
    target[f"{path[-1]}x"] = target.pop(path[-1])
    return copy
