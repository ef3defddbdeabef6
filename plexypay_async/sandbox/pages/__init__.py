"""The HTML pages: ``checkout`` of a link, ``bank`` for 3-D Secure, and ``index``, which lists what there is.

``html`` has the frame that all pages share.
"""
