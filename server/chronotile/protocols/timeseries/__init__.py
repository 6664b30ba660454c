"""Time series of a place: as Terrascope's service gives them, and as our own documents."""
