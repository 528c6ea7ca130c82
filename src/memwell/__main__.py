"""`python -m memwell` is the command line."""

from memwell.cli import main

if __name__ == "__main__":
    main()
