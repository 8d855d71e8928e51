"""Run the service, or its migrations: `python -m services.scheduling [migrate]`."""

from messaging.run import main

main("services.scheduling.app:create")
