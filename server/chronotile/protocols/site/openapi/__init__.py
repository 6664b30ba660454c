"""OpenAPI document of all endpoints except OGC services, and the same as a page."""
