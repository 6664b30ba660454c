"""Changes of items as JSON, as Atom feeds and as events for webhooks."""
