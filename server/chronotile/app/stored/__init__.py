"""State of an archive in databases and files: versions, migration, backup and restore."""
