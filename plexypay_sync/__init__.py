"""Plexy Pay for asyncio: typed payment links, retries that never pay twice, pages that fetch themselves."""
