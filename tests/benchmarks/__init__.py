"""Benchmarks measure what they say: their parts, and short runs of them."""
