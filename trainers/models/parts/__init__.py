"""What models are made of: layers, losses, and what is said of rolls, codes and texts."""
