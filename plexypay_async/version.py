"""What client and server say of themselves: the version of the library, and the sandbox's mark."""

__version__ = "0.1.0"

SANDBOX_HEADER = "X-Plexypay-Sandbox"
"""On every answer of the library's sandbox, and on none of the vendor's."""
