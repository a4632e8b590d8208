"""What an approver states about a bundle and signs: the part that approvals and waivers share."""

import base64
import binascii
import json
from typing import ClassVar, Self

import pydantic

from pipeline.params import Section
from pipeline.policy.persons import is_same_person

Words = pydantic.Field(min_length=1, pattern=r"\S")
Sha256 = pydantic.Field(pattern=r"^[0-9a-f]{64}$")


class Statement(Section):
    """A statement by one person about a bundle that another person made."""

    purpose: ClassVar[bytes]  # begins what is signed: a signature for another purpose is no use

    bundle: str = Sha256  # `digest` in the bundle's report.json
    author: str = Words  # who made the commit that the bundle is of
    approver: str = Words  # a name of policy.yaml's `approvers`, another than the author
    reason: str = Words
    signature: str = ""  # by the approver's key, over all the rest; base64

    @pydantic.model_validator(mode="after")
    def _has_two_persons(self) -> Self:
        if is_same_person(self.author, self.approver):
            raise ValueError(f"the approver must be another person than the author, {self.author}")
        return self

    def message(self) -> bytes:
        """Return the bytes that are signed."""
        stated = self.model_dump(mode="json", exclude={"signature"})
        return self.purpose + json.dumps(stated, sort_keys=True, ensure_ascii=False).encode()

    def is_signed_by(self, public_key: str) -> bool:
        """Return whether the signature is of this key: ECDSA, SHA-256 (FIPS 186-5, section 6).

        ``public_key`` is the text between the lines BEGIN and END of a PEM public key.
        """
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        try:
            key = serialization.load_der_public_key(base64.b64decode(public_key))
            if not isinstance(key, ec.EllipticCurvePublicKey):
                return False
            signature = base64.b64decode(self.signature, validate=True)
            key.verify(signature, self.message(), ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, UnsupportedAlgorithm, binascii.Error, ValueError):
            return False
        return True
