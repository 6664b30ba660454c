"""Values without I/O: what the pipeline's steps hand to one another."""
