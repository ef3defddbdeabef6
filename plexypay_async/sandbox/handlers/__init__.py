"""What the sandbox does for each declared operation: one module per API group, with the name of the group.

``group`` has what they share, and finds the handler of a declaration.
"""
