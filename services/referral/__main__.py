"""Run the service, or its migrations: `python -m services.referral [migrate]`."""

from messaging.run import main

main("services.referral.app:create")
