"""``python -m unmix`` and the console script."""

from unmix.cli import main

if __name__ == "__main__":
    main()
