"""Files of places: those of the configuration, and those that clients send."""
