"""`python -m app` is `cronledger`."""

from app.cli import main

main()
