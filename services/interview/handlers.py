"""What this service does when it hears of something."""

from contracts.referral import EpisodeReferred
from messaging.app import App
from messaging.subscriptions import Subscriptions
from messaging.transaction import handling
from services.interview.tables import KnownEpisode

events = Subscriptions()


@events.on(EpisodeReferred, by="interview.know_episode")
async def know_episode(event: EpisodeReferred, app: App) -> None:
    """Remember whose episode it is; a talk about an unknown one is refused."""
    async with handling(app.db, event, by="interview.know_episode") as session:
        await session.merge(
            KnownEpisode(
                episode_id=event.episode_id,
                child_id=event.child_id,
                returned_at=event.returned_at,
            )
        )
