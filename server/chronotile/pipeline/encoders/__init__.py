"""Encoders of pictures, series, coverages and documents."""
