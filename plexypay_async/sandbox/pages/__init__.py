"""The HTML pages: a link's checkout, the bank's 3-D Secure page, and the index of what is in the sandbox."""
