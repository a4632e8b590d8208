"""One registered model and its versions: finding, adding, fetching, tagging, aliases."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.adapters import tracking
from pipeline.adapters.runs import AS_TRAINING, tracking_uri, without_credentials
from pipeline.errors import InputError

BUNDLE_TAG = "bundle_digest"
AUTHOR_TAG = "author"  # who made the commit that the version is of
STORED_TAG = "stored_digest"  # of the list of every file that is stored for a version

_STORED = "stored.json"  # that list, kept with the version's run: path -> SHA-256
_DOWNLOADED = "registered_model_meta"  # MLflow writes it beside what it downloads
_DESCRIPTION_CHARS = 4900  # MLflow keeps 5,000
_CARD_GOES_ON = "\n\nMore is in README.md among the version's files."
_NOT_WHOLE = "not what the version was made with; delete that version and publish again"


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

    def points_at(self, alias: str, version: Version) -> bool:
        """Return whether an alias points at a version."""
        return alias in self.aliases_of(version)

    def aliases_of(self, version: Version) -> tuple[str, ...]:
        """Return the aliases that point at a version, by name."""
        pointing = {alias for alias, at in self._aliases().items() if str(at) == version.number}
        return tuple(sorted(pointing))

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
        """Store a bundle, then make it a version, so that no version lacks files.

        If another workspace has added the same bundle meanwhile, its version is returned.
        """
        with tracking.reaching():
            run_id, _ = tracking.create_run(self._client, "publish", {"stage": "publish"})
            uri, model_id = tracking.log_bundle(run_id, self.name, bundle)
            stored = _stored_digests(tracking.download(uri))
            self._client.log_text(run_id, json.dumps(stored, indent=2), _STORED)
            if not self._client.search_registered_models(f"name = '{self.name}'"):
                self._client.create_registered_model(self.name)
            tags = {**tags, STORED_TAG: files.sha256_digests(stored)}
            made = _version(
                self._client.create_model_version(
                    self.name,
                    uri,
                    run_id=run_id,
                    model_id=model_id,
                    tags=tags,
                    description=shorten_card(bundle),
                )
            )
        return self._settle(made)

    def _settle(self, made: Version) -> Version:
        """Return the bundle's earliest version, deleting the one just made if it is not that."""
        first = self.find(made.tags[BUNDLE_TAG])
        if first is None or first.number == made.number:
            return made
        with tracking.reaching():
            self._client.delete_model_version(self.name, made.number)
        return first

    def fetch(self, version: Version) -> Path:
        """Return a folder with a version's bundle, after checking all that is stored by its tags.

        That is the bundle, the code that serves it, and MLflow's description of both.

        Raises:
            InputError: naming the file that is missing, changed or not listed.
        """
        with tracking.reaching():
            folder = tracking.download(f"models:/{self.name}/{version.number}")
        digests = self.read(version, _STORED)
        whole = isinstance(digests, dict)
        if not whole or files.sha256_digests(digests) != version.tags.get(STORED_TAG):
            raise InputError(f"{_STORED} of {self._named(version)}: {_NOT_WHOLE}")
        files.check_tree(folder, digests, frozenset({_DOWNLOADED}))
        (bundle,) = (folder / "data").iterdir()
        if files.sha256_digests(files.verify_files(bundle)) != version.tags.get(BUNDLE_TAG):
            raise InputError(f"{bundle}: {_NOT_WHOLE}")
        return bundle

    def read(self, version: Version, name: str) -> Any:
        """Return JSON that `log` has kept with the version's run."""
        with tracking.reaching(), tempfile.TemporaryDirectory() as work:
            path = self._client.download_artifacts(version.run_id, name, work)
            return files.read_json(Path(path))

    def _named(self, version: Version) -> str:
        return f"models:/{self.name}/{version.number}"

    def point(self, alias: str, version: Version) -> None:
        """Make an alias point at a version; in MLflow this is a single write."""
        with tracking.reaching():
            self._client.set_registered_model_alias(self.name, alias, version.number)

    def unpoint(self, alias: str) -> None:
        """Delete an alias."""
        with tracking.reaching():
            self._client.delete_registered_model_alias(self.name, alias)

    def model_tags(self) -> dict[str, str]:
        """Return the tags of the registered model itself."""
        with tracking.reaching():
            return dict(self._client.get_registered_model(self.name).tags)

    def tag_model(self, key: str, value: str) -> None:
        """Set a tag of the registered model."""
        with tracking.reaching():
            self._client.set_registered_model_tag(self.name, key, value)

    def tag(self, version: Version, **tags: str) -> None:
        """Set tags of a version."""
        with tracking.reaching():
            for key, value in tags.items():
                self._client.set_model_version_tag(self.name, version.number, key, value)

    def log(self, version: Version, name: str, value: Any) -> None:
        """Keep JSON with the run that the version comes from."""
        with tracking.reaching():
            self._client.log_text(version.run_id, json.dumps(value, indent=2), name)

    def page(self, version: Version) -> str:
        """Return the URL of the version's page, or how to open it."""
        uri = without_credentials(tracking_uri())
        if uri.startswith("http"):
            page = f"{uri.rstrip('/')}/#/models/{self.name}/versions/{version.number}"
            return f"{page}{AS_TRAINING}"
        return f"models:/{self.name}/{version.number} (after `mlflow ui --backend-store-uri {uri}`)"

    def _aliases(self) -> dict[str, str]:
        with tracking.reaching():
            found = self._client.search_registered_models(f"name = '{self.name}'")
            return dict(self._client.get_registered_model(self.name).aliases) if found else {}


def _stored_digests(folder: Path) -> dict[str, str]:
    digests = {name: d for name, d in files.sha256_tree(folder).items() if name != _DOWNLOADED}
    assert not any(name.endswith(".pyc") for name in digests)  # Python would run it unseen
    return digests


def _version(found: Any) -> Version:
    return Version(str(found.version), found.run_id, dict(found.tags))


def shorten_card(bundle: Path) -> str:
    """Return as many sections of the model card as the version's page has room for.

    The front matter is left out: only Hugging Face's hub reads it.
    """
    path = bundle / "README.md"
    text = path.read_text() if path.is_file() else ""
    card = text.rpartition("\n---\n")[2].strip()
    if len(card) <= _DESCRIPTION_CHARS:
        return card
    return card[:_DESCRIPTION_CHARS].rpartition("\n## ")[0] + _CARD_GOES_ON
