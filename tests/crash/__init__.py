"""The crash matrix: kill, starve or spoil a run at a random point, run again, compare."""
