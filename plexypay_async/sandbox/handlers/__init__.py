"""What the sandbox does for each declared operation: one module per API group, named as the group."""
