"""What the viewer does in a browser, measured against its goals."""
