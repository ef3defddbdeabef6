"""The machinery of declarations: what an API, a group, an operation, a request and an answer are.

It knows none of the vendor's APIs. Each of them is a package of its own, with its description and its groups.
"""
