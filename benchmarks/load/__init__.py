"""Ways to load a server, and what they cost themselves."""
