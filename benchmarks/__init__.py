"""Figures, as ratios within one run. `make bench` runs all; `python -m benchmarks.<name>` runs one."""
