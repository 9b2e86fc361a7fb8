"""A generated shop of any size, and what it costs to serve it: `make bench-data`, `make bench`,
`make worst`.
"""
