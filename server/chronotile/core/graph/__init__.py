"""openEO process graphs over numpy arrays: parsing, the processes, and evaluation."""
