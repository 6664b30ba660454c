"""What a release consists of: wheel, source archive, bills of materials, checksums."""
