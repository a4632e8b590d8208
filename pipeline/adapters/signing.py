"""Signatures of a bundle by OpenSSF model-signing, offline and with your own key.

CHARTER_SIGNING_KEY names the private key's PEM file (P-256, P-384 or P-521), CHARTER_PUBLIC_KEY the
public one's. The private key is used to publish a bundle, approve or sign a waiver; the public one
to check bundles. Where it is set signatures are required: nothing unsigned is loaded.
"""

import base64
import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline import files, layout
from pipeline.errors import InputError

PRIVATE_KEY, PUBLIC_KEY = "CHARTER_SIGNING_KEY", "CHARTER_PUBLIC_KEY"


def key_path(variable: str) -> Path | None:
    """Return the file that a variable names; None where it is not set.

    Raises:
        InputError: where there is no such file.
    """
    value = os.environ.get(variable)
    if not value:
        return None
    if not Path(value).is_file():
        raise InputError(f"{variable}: {value}: not found; name the PEM file of a key")
    return Path(value)


@contextlib.contextmanager
def signed(bundle: Path, required: bool) -> Iterator[Path]:
    """Yield the bundle or, if there is a key, a signed copy of it; the bundle itself is unchanged.

    Raises:
        InputError: where there is no key although signatures are required.
    """
    key = key_path(PRIVATE_KEY)
    if key is None:
        if required or key_path(PUBLIC_KEY):
            raise InputError(f"{PRIVATE_KEY} names no key, and a signature is required; set it")
        yield bundle
        return
    layout.STATE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=layout.STATE) as work:
        copy = shutil.copytree(bundle, Path(work) / bundle.name)
        sign(copy, key)
        yield copy


def sign(folder: Path, key: Path) -> None:
    """Write the folder's signature into it, over every other file there."""
    from model_signing import signing

    try:
        signer = signing.Config().use_elliptic_key_signer(private_key=key)
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{key}: not a private key of an elliptic curve ({error})") from error
    root = folder.resolve()
    signer.set_hashing_config(_hashing(root)).sign(root, root / files.SIGNATURE)


def check(folder: Path, required: bool) -> str:
    """Check a folder's signature by the public key; return what was found, in words.

    Args:
        folder: With files.SIGNATURE in it, or unsigned.
        required: Whether an unsigned folder, or a missing key, is refused.

    Raises:
        InputError: where a required signature is missing, or the signature is not of these files.
    """
    signature, key = folder / files.SIGNATURE, key_path(PUBLIC_KEY)
    if not signature.is_file():
        if required or key:
            raise InputError(f"{signature}: missing, and a signature is required; do not use it")
        return "unsigned: its digests show that it is whole, not who made it"
    if key is None:
        if required:
            raise InputError(f"{PUBLIC_KEY} names no key to check {signature} by; set it")
        return f"signed, and not checked: {PUBLIC_KEY} names no key"
    _verify(folder, signature, key)
    return f"signed by the key {files.sha256_file(key)[:12]}"


def _verify(folder: Path, signature: Path, key: Path) -> None:
    from model_signing import verifying

    try:
        verifier = verifying.Config().use_elliptic_key_verifier(public_key=key)
    except (ValueError, AttributeError) as error:
        raise InputError(f"{key}: not a public key of an elliptic curve ({error})") from error
    root = folder.resolve()
    try:
        verifier.set_hashing_config(_hashing(root)).verify(root, signature)
    except Exception as error:  # the parser fails in many ways on what is not a signature
        why = " ".join(str(error).split()) or "it is not by this key"
        raise InputError(f"{signature}: is not valid: {why}; do not use this folder") from error


def _hashing(folder: Path) -> Any:
    """Return what model-signing is to hash: all but the signature, by its absolute path."""
    from model_signing import hashing

    assert folder.is_absolute()
    ignored = [folder / files.SIGNATURE]
    return hashing.Config().set_ignored_paths(paths=ignored, ignore_git_paths=False)


def sign_bytes(data: bytes, key: Path) -> str:
    """Return a signature of bytes, base64: ECDSA with SHA-256 (FIPS 186-5, section 6)."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    return base64.b64encode(_private(key).sign(data, ec.ECDSA(hashes.SHA256()))).decode()


def _private(key: Path) -> Any:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise InputError(f"{key}: not a private key in PEM without a password") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise InputError(f"{key}: not a private key of an elliptic curve")
    return private


def public_part(key: Path) -> bytes:
    """Return the public key (DER) of a private one.

    Raises:
        InputError: where the file is not such a key, of an elliptic curve and without a password.
    """
    return _der(_private(key).public_key())


def public_bytes(key: Path) -> bytes:
    """Return a public key (DER); `InputError` where the file holds none."""
    from cryptography.hazmat.primitives import serialization

    try:
        return _der(serialization.load_pem_public_key(key.read_bytes()))
    except (ValueError, TypeError) as error:
        raise InputError(f"{key}: not a public key in PEM") from error


def _der(public: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization

    encoded: bytes = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded
