"""What clients may send and what they get back, one file per noun."""
