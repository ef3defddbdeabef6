"""What client and server say of themselves: the version of the library, and the sandbox's mark."""

__version__ = "0.1.0"

SANDBOX_HEADER = "X-Plexypay-Sandbox"
"""The header by which a client knows that what answers is a sandbox."""
