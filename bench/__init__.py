"""Timings as ratios against a named peer in the same run; `scripts/bench` runs them.

Rule: peer and Plimsoll take turns within one run, so that what else the machine does falls on both; the ratio is of
the medians. Nothing here is a test: no figure makes it fail.
"""
