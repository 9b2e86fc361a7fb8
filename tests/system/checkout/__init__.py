"""Trials of buying, over HTTP against a started system: tests/system/checkout_trials.py runs them."""
