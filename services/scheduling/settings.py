"""What `scheduling` is told from outside, beside what all services are."""

from messaging.settings import Settings
from services.scheduling.domain import Persistence


class SchedulingSettings(Settings):
    """Numbers that sources leave to practice (R13); a site may ask for more."""

    no_contact_attempts_min: int = 4
    no_contact_methods_min: int = 2
    no_contact_days_min: int = 2
    worker_records_required: bool = False
    """Whether a worker without recorded training and DBS dates may go (R09). A lapsed one may not
    in any case; a site switches this on once its workers' dates are recorded."""

    @property
    def persistence(self) -> Persistence:
        """Return how much has to be tried before `no_contact`."""
        return Persistence(
            self.no_contact_attempts_min, self.no_contact_methods_min, self.no_contact_days_min
        )
