"""Webhooks: changes of items sent to the subscribers that the configuration names."""
