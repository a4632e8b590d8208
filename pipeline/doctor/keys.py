"""Signing keys and credentials: whether they can be read, and only by their owner."""

import configparser
import stat
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from pipeline import layout
from pipeline.adapters import signing
from pipeline.doctor.finding import Finding
from pipeline.errors import InputError
from pipeline.policy import rules

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_PRIVATE, _PUBLIC = signing.PRIVATE_KEY, signing.PUBLIC_KEY
_SECRETS = ("password", "secret_access_key", "access_key_id", "sas_token", "connection_string")
_CONFIG = Path(".dvc/config")


def check_keys() -> Iterator[Finding]:
    """Read the configured keys, and check that they are a pair."""
    try:
        private, public = signing.key_path(_PRIVATE), signing.key_path(_PUBLIC)
        if private is None:
            yield _unsigned(public)
            return
        yield _check_mode(private)
        if public is not None:
            yield _check_pair(private, public)
        elif signing.public_part(private):
            yield Finding.ok("keys", f"{_PRIVATE} can sign; {_PUBLIC} names no key to verify by")
    except InputError as error:
        yield Finding.wrong("keys", str(error), "name the PEM file of a key, or unset the variable")


def _unsigned(public: Path | None) -> Finding:
    required = layout.POLICY.is_file() and _requires_signature()
    if required or public is not None:
        found = f"{_PRIVATE} names no key, and a signature is required"
        return Finding.wrong("keys", found, f"set {_PRIVATE} where you publish")
    return Finding.ok("keys", "none; bundles are published unsigned")


def _requires_signature() -> bool:
    try:
        return rules.load().require_signature
    except InputError:  # reported by the check of policy.yaml
        return False


def _check_mode(private: Path) -> Finding:
    mode = stat.S_IMODE(private.stat().st_mode)
    if mode & _OTHERS:
        found = f"{private} has mode {mode:o}: not only its owner can use it"
        return Finding.warn("key file", found, f"run `chmod 600 {private}`")
    return Finding.ok("key file", f"only its owner can use {private}")


def _check_pair(private: Path, public: Path) -> Finding:
    if signing.public_part(private) == signing.public_bytes(public):
        return Finding.ok("keys", f"{_PUBLIC} and {_PRIVATE} are a pair")
    found = f"{public} is not the public key of {private}"
    return Finding.wrong("keys", found, f"run `openssl ec -in {private} -pubout -out {public}`")


def check_secrets() -> Iterator[Finding]:
    """Check that .dvc/config, which git tracks, holds no credential; config.local may."""
    config = configparser.ConfigParser()
    config.read(_CONFIG)
    found = [
        f"{section.strip(chr(39))}: {key}"
        for section in config.sections()
        for key, value in config[section].items()
        if key in _SECRETS or (key == "url" and urllib.parse.urlsplit(value).password)
    ]
    if found:
        advice = "set it by `dvc remote modify --local`, remove it from .dvc/config, and change it"
        yield Finding.wrong("secrets", f"{_CONFIG} has {', '.join(found)}", advice)
    else:
        yield Finding.ok("secrets", f"none in {_CONFIG}")
