"""Signatures: openssl agrees on the bytes, and any change to any file is refused by its name."""

import base64
import subprocess
from pathlib import Path

import pytest
from signing_keys import Keys

from pipeline import files
from pipeline.adapters import serving, signing
from pipeline.errors import InputError


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keys:
    monkeypatch.chdir(tmp_path)
    made = Keys(tmp_path)
    monkeypatch.setenv(signing.PRIVATE_KEY, str(made.private))
    monkeypatch.setenv(signing.PUBLIC_KEY, str(made.public))
    return made


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A folder of three files, one below another folder and one that git would hide."""
    folder = tmp_path / "bundle"
    (folder / "reports").mkdir(parents=True)
    for name in ("config.json", "reports/audit.json", ".gitignore"):
        (folder / name).write_text(f"of {name}")
    return folder


def test_the_bundle_stays_as_it_is_and_its_copy_is_signed(keys: Keys, bundle: Path) -> None:
    before = files.sha256_tree(bundle)
    with signing.signed(bundle, required=True) as copy:
        assert copy.name == bundle.name
        assert set(files.sha256_tree(copy)) - set(before) == {files.SIGNATURE}
        assert signing.check(copy, required=True).startswith("signed by the key")
    assert files.sha256_tree(bundle) == before
    assert not copy.exists()


@pytest.mark.parametrize("name", ["config.json", "reports/audit.json", ".gitignore"])
def test_a_changed_a_missing_and_an_added_file_are_named(
    keys: Keys, bundle: Path, name: str
) -> None:
    signing.sign(Path("bundle"), keys.private)  # by a path that is relative, as build/bundle is
    text = (bundle / name).read_text()
    (bundle / name).write_text(text + " ")
    with pytest.raises(InputError, match=name):
        signing.check(bundle, required=False)
    (bundle / name).unlink()
    with pytest.raises(InputError, match=name):
        signing.check(bundle, required=False)
    (bundle / name).write_text(text)
    signing.check(bundle, required=True)
    (bundle / f"{name}.more").write_text("")
    with pytest.raises(InputError, match=rf"{name}\.more"):
        signing.check(bundle, required=False)


def test_a_signature_by_another_key_or_that_is_none_does_not_hold(
    keys: Keys, bundle: Path, tmp_path: Path
) -> None:
    signature = bundle / files.SIGNATURE
    signing.sign(bundle, Keys(tmp_path, "other").private)
    with pytest.raises(InputError, match=r"model\.sig: is not valid"):
        signing.check(bundle, required=False)
    signing.sign(bundle, keys.private)
    whole = signature.read_text()
    for spoilt in (
        "",
        "{}",
        "no JSON",
        whole[: len(whole) // 2],
        whole.replace('"sig":"', '"sig":"AA'),
    ):
        signature.write_text(spoilt)
        with pytest.raises(InputError, match=r"model\.sig: is not valid"):
            signing.check(bundle, required=False)


def test_without_keys_a_bundle_is_unsigned_and_that_is_said(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(signing.PUBLIC_KEY, raising=False)
    monkeypatch.delenv(signing.PRIVATE_KEY, raising=False)
    with signing.signed(bundle, required=False) as same:
        assert same == bundle
    assert signing.check(bundle, required=False).startswith("unsigned")
    with pytest.raises(InputError, match=r"CHARTER_SIGNING_KEY names no key"):
        signing.signed(bundle, required=True).__enter__()
    with pytest.raises(InputError, match=r"model\.sig: missing"):
        signing.check(bundle, required=True)
    signing.sign(bundle, Keys(tmp_path).private)
    assert "not checked" in signing.check(bundle, required=False)
    with pytest.raises(InputError, match="CHARTER_PUBLIC_KEY names no key"):
        signing.check(bundle, required=True)


def test_whoever_sets_a_public_key_is_served_nothing_unsigned(keys: Keys, bundle: Path) -> None:
    files.write_json(bundle / files.DIGESTS, files.sha256_tree(bundle))
    with pytest.raises(InputError, match=r"model\.sig: missing"):
        serving.Server(bundle)


@pytest.mark.parametrize("variable", [signing.PRIVATE_KEY, signing.PUBLIC_KEY])
def test_a_key_that_is_not_there_or_is_none_is_named(
    variable: str, keys: Keys, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signing.sign(bundle, keys.private)
    monkeypatch.setenv(variable, str(tmp_path / "none.pem"))
    with pytest.raises(InputError, match=rf"{variable}: .*none\.pem: not found"):
        signing.key_path(variable)
    (tmp_path / "none.pem").write_text("no key")
    with pytest.raises(InputError, match=r"none\.pem: not a (private|public) key"):
        _use(variable, bundle, tmp_path / "none.pem")


def test_bytes_are_signed_as_openssl_would(keys: Keys, tmp_path: Path) -> None:
    """Against openssl's own verification."""
    (tmp_path / "data").write_bytes(b"what is said")
    signature = base64.b64decode(signing.sign_bytes(b"what is said", keys.private))
    (tmp_path / "signature").write_bytes(signature)
    command = ["openssl", "dgst", "-sha256", "-verify", str(keys.public)]
    command += ["-signature", "signature", "data"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0


def _use(variable: str, bundle: Path, key: Path) -> None:
    if variable == signing.PRIVATE_KEY:
        signing.sign(bundle, key)
    else:
        signing.check(bundle, required=True)
