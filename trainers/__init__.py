"""Per-genre models in plain PyTorch: train, sample."""
