"""Public checks of the models: a table each, printed by `trainers.evaluate --benchmark`."""
