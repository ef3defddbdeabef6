"""The version of the library, which goes out with every request."""

__version__ = "0.1.0"

SANDBOX_HEADER = "X-Plexypay-Sandbox"
"""The header by which a client knows that what answers is a sandbox."""
