"""Objects to JSON and back, and the errors that answers stand for. Private."""
