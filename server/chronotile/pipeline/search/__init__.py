"""What is there: items of all collections that are served, found in the index (DESIGN: `search_items`)."""
