"""Parameters and bodies of requests, as values."""
