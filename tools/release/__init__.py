"""Build of a release: wheel, source archive, bills of materials, checksums."""
