"""What our own endpoints take and give, as an OpenAPI document and as a page."""
