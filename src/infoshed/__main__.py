"""`python -m infoshed` is the command line."""

from infoshed.cli import main

main()
