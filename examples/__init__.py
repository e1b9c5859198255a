"""Worked examples: each a story on real data, run with one command and in the tests."""
