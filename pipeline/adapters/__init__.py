"""The borders to other systems: MLflow, Great Expectations, file formats."""
