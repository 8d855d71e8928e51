"""Starts `notify`: `python -m services.notify [migrate]`."""

from messaging.run import main

main("services.notify.app:create")
