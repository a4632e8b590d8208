"""The training engine (torch): model, masking, batches, optimiser, checkpoint, features, head."""
