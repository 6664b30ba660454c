"""The processes that jobs run, each in one module."""
