"""`python -m tests.replay`: compares answers with the recording; `--record` replaces it."""

from tests.replay import fixed

fixed.fix()  # before chronotile is imported, also in processes that this one starts

if __name__ == "__main__":
    from tests.replay.command import main

    main()
