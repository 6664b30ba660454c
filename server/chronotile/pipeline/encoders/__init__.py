"""Pictures, series and numbers become bytes of a format."""
