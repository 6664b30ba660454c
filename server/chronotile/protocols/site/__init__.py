"""Pages and documents about the whole server."""
