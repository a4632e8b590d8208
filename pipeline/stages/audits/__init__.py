"""The parts of the stage audit, one file for each kind of audit."""
