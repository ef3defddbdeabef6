"""One attempt over HTTP: the only room of the client that knows aiohttp. Private."""
