"""Starts `interview`: `python -m services.interview [migrate]`."""

from messaging.run import main

main("services.interview.app:create")
