"""What this service owes whom when it hears of something; sending is another matter."""

from contracts.scheduling import AppointmentBooked, DeadlineMissed, DeadlineNear
from contracts.sharing import UrgentHoldRaised
from messaging.app import App
from messaging.subscriptions import Subscriptions
from messaging.transaction import handling
from services.notify.bodies import PageIn
from services.notify.owed import owe_appointment, owe_deadline, owe_page

events = Subscriptions()


@events.on(AppointmentBooked, by="notify.tell_of_appointment")
async def tell_of_appointment(event: AppointmentBooked, app: App) -> None:
    """Tell the young person when and where, by a safe channel of theirs."""
    async with handling(app.db, event, by="notify.tell_of_appointment") as session:
        await owe_appointment(session, app, event)


@events.on(UrgentHoldRaised, by="notify.page")
async def page(event: UrgentHoldRaised, app: App) -> None:
    """Page the safeguarding lead or who is on call."""
    async with handling(app.db, event, by="notify.page") as session:
        await owe_page(session, app, PageIn.model_validate(event, from_attributes=True))


@events.on(DeadlineNear, by="notify.warn_of_deadline")
async def warn_of_deadline(event: DeadlineNear, app: App) -> None:
    """Tell the manager that a clock runs out soon."""
    async with handling(app.db, event, by="notify.warn_of_deadline") as session:
        await owe_deadline(session, app, event)


@events.on(DeadlineMissed, by="notify.report_missed_deadline")
async def report_missed_deadline(event: DeadlineMissed, app: App) -> None:
    """Tell the manager that a clock ran out."""
    async with handling(app.db, event, by="notify.report_missed_deadline") as session:
        await owe_deadline(session, app, event)
