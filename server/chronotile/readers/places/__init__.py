"""Files of places, from the configuration and from uploads."""
