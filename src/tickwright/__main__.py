"""`python -m tickwright` is the `tickwright` command."""

from tickwright.cli import main

main()
