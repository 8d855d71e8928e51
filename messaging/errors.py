"""Why work waits: neither of these ever leads to a dead letter."""


class NotYetError(Exception):
    """An earlier fact has not arrived; the event is delivered again, later and later."""


class AwayError(Exception):
    """A dependency (a peer, the policy engine, the database, the broker) is away; work waits."""

    def __init__(self, who: str = "dependency", why: str = "away") -> None:
        super().__init__(f"{who}: {why}")
        self.who = who
        self.why = why
