"""The version of the library, which goes out with every request."""

__version__ = "0.1.0"
