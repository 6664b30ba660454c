"""Ten sources elsewhere that fail in ten ways, beside local layers under load."""
