"""What the sandbox knows, and how payments change it; nothing here knows HTTP.

Each table of the database has a module (``links``, ``transactions``, ...) on top of ``table``. ``issuer`` has
the test cards, ``acquirer`` moves card payments through their states, and ``state`` holds all of them.
"""
