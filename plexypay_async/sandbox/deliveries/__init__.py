"""Webhooks on their way out.

``settings`` says where they may go, ``messages`` what they say, ``store`` keeps them in the database,
``dispatcher`` sends them, and ``log`` shows tests a `Delivery` for each.
"""
