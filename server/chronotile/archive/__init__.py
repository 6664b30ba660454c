"""All that is served: opened, refreshed, checked, described."""
