"""Webhooks: what they say, where they may go, when they are sent, and what became of each."""
