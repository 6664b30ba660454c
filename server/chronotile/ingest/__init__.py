"""Learn what sources hold, and write archives."""
