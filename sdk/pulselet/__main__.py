"""`python -m pulselet` is `pulselet`."""

from pulselet.cli import main

if __name__ == "__main__":
    main()
