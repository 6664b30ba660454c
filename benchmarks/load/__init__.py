"""Ways to load a server, and their costs."""
