"""Files of the viewer."""
