"""The crash matrix in short: the long form is ``make crash``, see tests/crash/.

Against the registry that an undisturbed publication leaves: the same versions, the same aliases,
every one of them verified right after the kill and after the next publication.
"""

import random
import time
from pathlib import Path

import pytest
from crash import kills
from crash import world as worlds


@pytest.mark.slow
def test_a_killed_publication_leaves_a_whole_registry_and_is_completed(tmp_path: Path) -> None:
    seed = time.time_ns()
    world = worlds.make_publish(tmp_path)
    said = kills.kill_publish(world, random.Random(seed))
    print(f"seed {seed}: {said}")  # noqa: T201
    assert len(world.expected["versions"]) == 2
    assert set(world.expected["aliases"]) == {"champion", "challenger"}
