"""What the sandbox does for each group of the Checkout API; `group` finds them by their names.

Which values are refused, and with which code and words, is the sandbox's own, but for a key that is used
with other parameters. Any merchant account is served. The sandbox keeps what it answers for an idempotency
key, and answers it again for 24 hours of its clock.
"""
