"""What processes share: windows, partial results, files."""
