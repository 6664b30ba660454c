"""Windows, partial results and files, which processes share."""
