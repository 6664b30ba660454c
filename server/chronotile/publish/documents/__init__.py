"""The documents of a published catalogue, as JSON objects."""
