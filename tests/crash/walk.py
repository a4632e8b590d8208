"""Verify every version and alias of a registered model; print what there is as JSON."""

import json
import sys

from pipeline import trust, verify
from pipeline.adapters import tracking
from pipeline.adapters.registry import BUNDLE_TAG, Registry
from pipeline.policy import rules


def main(name: str) -> None:
    registry, policy, client = Registry(name), rules.load(), tracking.connect()
    known = client.search_registered_models(f"name = '{name}'")
    found = client.search_model_versions(f"name = '{name}'")
    digests = {}
    for each in found:
        assert each.status == "READY", f"version {each.version} is {each.status}"
        version = registry.get(str(each.version))
        trust.check_version(registry, version, policy)
        digests[version.number] = version.tags[BUNDLE_TAG]
    aliases = dict(client.get_registered_model(name).aliases) if known else {}
    for alias in aliases:
        verify.verify(f"models:/{name}@{alias}")
    numbers = {alias: digests[str(number)] for alias, number in aliases.items()}
    print(json.dumps({"versions": sorted(digests.values()), "aliases": numbers}))


if __name__ == "__main__":
    main(sys.argv[1])
