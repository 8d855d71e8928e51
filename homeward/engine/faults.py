"""What can be wrong with policies and engines, in plain words."""


class EngineMissingError(Exception):
    """Neither the `opa` command nor OPA's library is here; the message says how to get one."""


class NoAnswerError(Exception):
    """The engine ran and gave no answer."""


class EngineGoneError(Exception):
    """The engine's process ended while it was asked; whoever started it starts it again."""


class BrokenPoliciesError(Exception):
    """The policies may not be loaded; `faults` says what is wrong, file by file."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults
