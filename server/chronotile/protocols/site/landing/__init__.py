"""The first page: what is here, and the URLs to paste."""
