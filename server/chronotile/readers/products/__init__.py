"""Original files of products, local and remote: fingerprints, bytes and checksums."""
