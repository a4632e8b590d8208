"""Keys of elliptic curves made for a test, and waivers signed with them."""

import base64
import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pipeline.policy.waivers import Waiver


class Keys:
    """A private key and its public one, as PEM files of a folder."""

    def __init__(self, folder: Path, name: str = "key") -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.private, self.public = folder / f"{name}.pem", folder / f"{name}.pub"
        self.private.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        self.public.write_bytes(
            self.key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )

    @property
    def line(self) -> str:
        """The public key as policy.yaml holds it."""
        return "".join(self.public.read_text().splitlines()[1:-1])

    def sign(self, waiver: Waiver) -> Waiver:
        """Sign a waiver by cryptography's own words, not by the code under test."""
        signature = self.key.sign(waiver.message(), ec.ECDSA(hashes.SHA256()))
        return waiver.model_copy(update={"signature": base64.b64encode(signature).decode()})


def make_waiver(**fields: Any) -> Waiver:
    """Return an unsigned waiver."""
    given = {
        "rule": "near-tfidf",
        "bundle": "a" * 64,
        "author": "Ann Author",
        "approver": "Abe Approver",
        "reason": "The word counts cannot be used where texts are long.",
        "compensating_measure": "A sample of 200 answers is read each week.",
        "expires": datetime.date(2026, 12, 31),
    }
    return Waiver(**(given | fields))
