"""Landing page: the URLs of all services and cards of the layers."""
