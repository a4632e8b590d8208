"""Charter: governed pretraining, from raw text to a promoted encoder."""
