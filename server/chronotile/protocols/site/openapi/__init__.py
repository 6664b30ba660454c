"""OpenAPI document of endpoints that no standard describes, and the same as a page."""
