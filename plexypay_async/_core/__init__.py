"""One call: its attempts, the decision after each, look-ups, limits, waiting. Private; knows no aiohttp."""
