"""The bill of materials: valid by CycloneDX's own schema, of what is installed, no time."""

import importlib.metadata
import json
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from pipeline.adapters import sbom

LOCK = Path(__file__).parents[2] / "requirements.lock"
DIGESTS = {"model.safetensors": "0" * 64, "reports/audit.json": "1" * 64}


def test_the_bill_is_one_by_the_schema_of_cyclonedx() -> None:
    text = json.dumps(sbom.make("charter-test", DIGESTS, LOCK))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_equal_bundles_have_equal_bills_and_no_path_of_this_machine() -> None:
    first = json.dumps(sbom.make("charter-test", DIGESTS, LOCK), sort_keys=True)
    assert json.dumps(sbom.make("charter-test", DIGESTS, LOCK), sort_keys=True) == first
    assert "timestamp" not in first
    assert "file:" not in first
    assert str(Path.home()) not in first


def test_the_packages_are_those_of_the_lock_in_the_versions_installed(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.write_text("# one\nNumPy==0.0.1\nnot-there==1.0\npydantic==9.9\n")
    bill = sbom.make("charter-test", DIGESTS, lock)
    found = {each["name"]: each["version"] for each in bill["components"]}
    assert found == {name: importlib.metadata.version(name) for name in ("numpy", "pydantic")}


@pytest.mark.parametrize("name", DIGESTS)
def test_the_model_is_there_with_the_digest_of_every_file(name: str) -> None:
    model = sbom.make("charter-test", DIGESTS, LOCK)["metadata"]["component"]
    assert (model["type"], model["name"]) == ("machine-learning-model", "charter-test")
    (part,) = [each for each in model["components"] if each["name"] == name]
    assert part["hashes"] == [{"alg": "SHA-256", "content": DIGESTS[name]}]
