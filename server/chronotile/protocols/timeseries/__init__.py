"""Values of a place along time: as Terrascope's service gives them, and as our own documents."""
