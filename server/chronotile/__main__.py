"""`python -m chronotile`: the command line."""

from chronotile.cli.main import main

if __name__ == "__main__":
    main()
