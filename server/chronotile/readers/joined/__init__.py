"""Files that each hold some times, read as one source though their encodings differ."""
