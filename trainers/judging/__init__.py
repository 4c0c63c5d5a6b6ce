"""How samples compare with the music that they were to be like."""
