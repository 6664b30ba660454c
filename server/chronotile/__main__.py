"""`python -m chronotile`: the command line."""

from chronotile.cli.main import main

main()
