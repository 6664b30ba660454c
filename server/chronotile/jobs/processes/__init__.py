"""The processes, one file each, and what defines a process."""
