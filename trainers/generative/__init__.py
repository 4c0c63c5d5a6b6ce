"""Training of models that make pieces whole: material, the loop, what comes apart."""
