"""Instants, domains and selections of time, and their text."""
