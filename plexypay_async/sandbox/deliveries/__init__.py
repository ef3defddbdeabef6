"""Webhooks on their way out.

``settings`` says where they may go, ``dispatcher`` makes and sends them, ``store`` keeps them in the
database, and ``log`` shows tests a `Delivery` for each.
"""
