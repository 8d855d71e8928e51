"""Starts the service, or with the argument `migrate` brings its database up to date."""

from messaging.run import main

main("services.sharing.app:create")
