"""ASGI middleware: limits, headers, compression, log, metrics, cached answers."""
