"""A bundle's bill of materials in CycloneDX 1.6: the model and the packages that made it."""

import importlib.metadata
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import layout
from pipeline.errors import InputError

if TYPE_CHECKING:
    from cyclonedx.model.component import Component

_LICENCE = "License-Expression"  # of a package's metadata, by PEP 639
_PINNED = re.compile(r"(?m)^([A-Za-z0-9][A-Za-z0-9._-]*)==")


def make(name: str, digests: Mapping[str, str], lock: Path = layout.LOCK) -> dict[str, Any]:
    """Return the bill of a model and of the packages of requirements.lock, as installed here.

    It holds no time and no serial number, so equal bundles and environments give equal bills.

    Args:
        name: Of the bundle.
        digests: Of its files: path -> SHA-256.
        lock: The file that pins the packages; those that are not installed are left out.

    Raises:
        InputError: where there is no such file.
    """
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.output.json import JsonV1Dot6

    if not lock.is_file():
        raise InputError(f"{lock}: not found; restore it from git")
    model = _model(name, digests)
    packages = map(_package, _PINNED.findall(lock.read_text(encoding="utf-8")))
    installed = [package for package in packages if package is not None]
    made = Bom(metadata=BomMetaData(component=model), components=installed)
    made.register_dependency(model, installed)
    bill: dict[str, Any] = json.loads(JsonV1Dot6(made).output_as_string())
    del bill["serialNumber"], bill["metadata"]["timestamp"]
    return bill


def _model(name: str, digests: Mapping[str, str]) -> "Component":
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component, ComponentType

    def hashed(digest: str) -> HashType:
        return HashType(alg=HashAlgorithm.SHA_256, content=digest)

    return Component(
        name=name,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=name,
        components=[
            Component(name=path, type=ComponentType.FILE, bom_ref=path, hashes=[hashed(digest)])
            for path, digest in digests.items()
        ],
    )


def _package(name: str) -> "Component | None":
    from cyclonedx.model.component import Component
    from cyclonedx.model.license import LicenseExpression
    from packageurl import PackageURL

    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    plain = re.sub(r"[-_.]+", "-", name).lower()
    version, facts = found.version, found.metadata
    return Component(
        name=plain,
        version=version,
        bom_ref=f"{plain}=={version}",
        purl=PackageURL("pypi", name=plain, version=version),
        licenses=[LicenseExpression(facts[_LICENCE])] if _LICENCE in facts else [],
    )
