"""Playing live: controls as they come, notes as they are due."""
