"""`python -m tenure` is `tenure`."""

from tenure.cli.main import main

main()
