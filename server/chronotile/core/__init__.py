"""Values, arithmetic, addresses, files and errors that all other packages build on."""
