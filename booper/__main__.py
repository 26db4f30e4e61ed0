"""`python -m booper` is the command `booper`."""

from booper.cli import main

main()
