"""One module a stage of dvc.yaml: parse, read, call pure functions, write, report."""
