"""The API's groups, one file each: their request and answer models, and their operations."""
