"""``python -m flows.run_dvc ...``: the command `dvc`, ending with the flow that runs it."""

import sys

from dvc.cli import main

from pipeline import lifeline

if __name__ == "__main__":
    lifeline.end_with_parent()
    sys.exit(main())
