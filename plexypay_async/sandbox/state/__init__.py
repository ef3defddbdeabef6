"""What the sandbox knows, in SQLite, and the rules by which payments change it. Nothing here knows HTTP."""
