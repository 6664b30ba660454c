"""From configuration to collections and layers; names and times to what exists."""
