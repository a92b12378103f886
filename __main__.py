"""`python -m img2prompt`: the command line."""

from .cli import main

main()
