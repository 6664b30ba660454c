"""Ten remote sources that fail in ten ways, together with local layers under load."""
