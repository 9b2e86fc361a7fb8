"""A generated shop of any size, and the cost of serving it: `make bench-data`, `make bench`, `make
worst`.
"""
