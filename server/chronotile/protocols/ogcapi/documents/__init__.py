"""Landing page, conformance, collections, OpenAPI."""
