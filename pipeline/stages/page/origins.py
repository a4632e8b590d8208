"""Provenance: where each file of data/ is from, and the digests that tie the page to the run."""

from typing import Any

from pipeline.stages.page import figures, shapes
from pipeline.stages.page.evidence import Evidence
from pipeline.stages.page.language import reported, say

Files = dict[str, dict[str, Any]]  # path below data/ -> what is known of it


def files(provenance: dict[str, Any]) -> shapes.Table | None:
    """Each file of data/ with its origin, licence and SHA-256; None where nothing is known."""
    known: Files = provenance.get("files", {})
    if not known:
        return None
    return shapes.Table(
        say("Files of data/"),
        (say("File"), say("From"), say("Licence"), say("Rows"), "SHA-256"),
        tuple((path, *_file(facts)) for path, facts in sorted(known.items())),
        numeric=frozenset({3}),
    )


def _file(facts: dict[str, Any]) -> tuple[str, ...]:
    rows = facts.get("rows")
    counted = "" if rows is None else figures.count(rows)
    return (origin(facts), licence(facts), counted, facts.get("sha256", ""))


def origin(facts: dict[str, Any]) -> str:
    """Return the package or dataset with its version, or ``local file``."""
    name = facts.get("package") or facts.get("dataset")
    version = facts.get("version") or facts.get("revision") or ""
    return f"{name} {version}".strip() if name else say("local file")


def licence(facts: dict[str, Any]) -> str:
    """Return the content's licence; where its authors state none, say so and give the carrier's."""
    content, carrier = facts.get("content_licence"), facts.get("licence")
    if content:
        return str(content)
    if carrier:
        return say("none stated for the content; package %(licence)s", licence=carrier)
    return say("not stated")


def summary(provenance: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return path, origin, licence and rows of each file that holds rows."""
    known: Files = provenance.get("files", {})
    return [(path, *_file(facts)[:3]) for path, facts in sorted(known.items()) if facts.get("rows")]


def names(provenance: dict[str, Any], folder: str) -> list[str]:
    """Return the packages or datasets that the files below a folder of data/ are from, sorted."""
    known: Files = provenance.get("files", {})
    below = [facts for path, facts in known.items() if path.startswith(f"{folder}/")]
    found = {str(facts.get("package") or facts.get("dataset") or "") for facts in below}
    return sorted(found - {""})


def digests(evidence: Evidence) -> shapes.Table:
    """The SHA-256 of what was used, by which another run can be compared with this one."""
    benchmarks = evidence.audit.benchmark_digests
    rows = [
        (say("policy.yaml, read before any test row"), evidence.evaluate.policy_digest),
        (say("Corpus kept"), evidence.validate.corpus.digest),
        (say("Labelled rows kept"), evidence.validate.labelled.digest),
        (say("Test rows"), evidence.split.test.digest),
        (say("Tokenizer"), evidence.tokenise.tokenizer_digest),
        (say("Encoder's weights"), evidence.pretrain.encoder_digest),
        *sorted((reported(name), digest) for name, digest in benchmarks.items()),
    ]
    return shapes.Table(say("Digests (SHA-256)"), (say("Of"), "SHA-256"), tuple(rows))
