"""ASGI middleware: limits, headers, compression, log, metrics, kept answers."""
