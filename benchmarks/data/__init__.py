"""What is measured on: synthetic NDVI of a fixed seed, and real NDVI where there is some."""
