"""Values without I/O that the steps of the pipeline exchange."""
