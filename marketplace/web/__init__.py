"""HTTP machinery: knows no noun of the shop."""
