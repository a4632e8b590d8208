"""The parts of the stage audit, one file a kind of audit."""
