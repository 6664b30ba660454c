"""The application, its settings and its worker processes."""
