"""``python -m benchmarks [NAME]``: run one comparison, or all; needs ``pip install .[bench]``."""

import argparse

from benchmarks import features, pretrain

COMPARISONS = {"pretrain": pretrain.compare, "features": features.compare}


def main() -> None:
    """Print the comparisons asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", choices=COMPARISONS, help="all if left out")
    name = parser.parse_args().name
    for each in [name] if name else COMPARISONS:
        print("\n".join(COMPARISONS[each]()))


if __name__ == "__main__":
    main()
