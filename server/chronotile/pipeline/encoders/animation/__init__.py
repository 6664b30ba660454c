"""Time-lapses: GIF, WebP, MP4."""
