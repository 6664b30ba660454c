"""Payloads, pages and errors as HTTP answers."""
