"""What an archive stores beside its data: which versions it has, and how it is migrated, backed up and restored."""
