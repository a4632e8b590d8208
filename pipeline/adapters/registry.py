"""The versions of one registered model: found, added, verified, tagged, pointed at."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.adapters import tracking
from pipeline.adapters.runs import tracking_uri, without_credentials
from pipeline.errors import InputError

BUNDLE_TAG = "bundle_digest"


@dataclass(frozen=True)
class Version:
    """A version of the registered model."""

    number: str
    run_id: str
    tags: dict[str, str]


class Registry:
    """One registered model. Every method raises `InputError` where MLflow cannot be reached."""

    def __init__(self, name: str) -> None:
        self.name = name
        with tracking.reaching():
            self._client = tracking.connect()

    def at(self, alias: str) -> Version | None:
        """Return the version that an alias points at."""
        number = self._aliases().get(alias)
        return None if number is None else self.get(number)

    def get(self, number: str) -> Version:
        """Return a version by its number."""
        with tracking.reaching():
            return _version(self._client.get_model_version(self.name, number))

    def find(self, bundle_digest: str) -> Version | None:
        """Return the version that holds a bundle, the earliest of several."""
        asked = f"name = '{self.name}' and tags.{BUNDLE_TAG} = '{bundle_digest}'"
        with tracking.reaching():
            found = self._client.search_model_versions(asked)
        versions = sorted(map(_version, found), key=lambda version: int(version.number))
        return versions[0] if versions else None

    def add(self, bundle: Path, tags: dict[str, str]) -> Version:
        """Store a bundle, and make it a version: a version's files are whole, or there is none."""
        with tracking.reaching():
            run_id, _ = tracking.create_run(self._client, "publish", {"stage": "publish"})
            uri, model_id = tracking.log_bundle(run_id, self.name, bundle)
            if not self._client.search_registered_models(f"name = '{self.name}'"):
                self._client.create_registered_model(self.name)
            made = self._client.create_model_version(
                self.name, uri, run_id=run_id, model_id=model_id, tags=tags
            )
            return _version(made)

    def fetch(self, version: Version) -> Path:
        """Return a folder with a version's bundle, whose every byte is what its tag says.

        Raises:
            InputError: naming the file that is missing, changed or not listed.
        """
        with tracking.reaching():
            folder = tracking.download(f"models:/{self.name}/{version.number}")
        (bundle,) = (folder / "data").iterdir()
        if files.sha256_digests(files.verify_files(bundle)) != version.tags.get(BUNDLE_TAG):
            raise InputError(
                f"{bundle}: not the bundle that version {version.number} of {self.name} was made"
                " of; delete that version and publish again"
            )
        return bundle

    def point(self, alias: str, version: Version) -> None:
        """Let an alias point at a version; in MLflow this is one write."""
        with tracking.reaching():
            self._client.set_registered_model_alias(self.name, alias, version.number)

    def tag(self, version: Version, **tags: str) -> None:
        """Lay tags over a version's."""
        with tracking.reaching():
            for key, value in tags.items():
                self._client.set_model_version_tag(self.name, version.number, key, value)

    def log(self, version: Version, name: str, value: Any) -> None:
        """Keep JSON with the run that the version comes from."""
        with tracking.reaching():
            self._client.log_text(version.run_id, json.dumps(value, indent=2), name)

    def page(self, version: Version) -> str:
        """Return where a person finds the version."""
        uri = without_credentials(tracking_uri())
        if uri.startswith("http"):
            return f"{uri.rstrip('/')}/#/models/{self.name}/versions/{version.number}"
        return f"models:/{self.name}/{version.number} (after `mlflow ui --backend-store-uri {uri}`)"

    def _aliases(self) -> dict[str, str]:
        with tracking.reaching():
            found = self._client.search_registered_models(f"name = '{self.name}'")
            return dict(self._client.get_registered_model(self.name).aliases) if found else {}


def _version(found: Any) -> Version:
    return Version(str(found.version), found.run_id, dict(found.tags))
