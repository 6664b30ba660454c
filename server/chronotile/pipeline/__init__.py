"""The verbs: each resolves, reads, paints or reduces, and encodes, in that order."""
