"""Pure functions of text: no file, no DataFrame, no model."""
