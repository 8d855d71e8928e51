"""Each referral that was answered has exactly one episode and one offer."""

from collections import Counter
from collections.abc import Iterator

from faults.rules.violation import Violation
from faults.seen import Seen


def one_answer(seen: Seen) -> Iterator[Violation]:
    """A referral sent again gets its first answer again."""
    for referral in seen.referrals:
        ids = {(one.referral_id, one.child_id, one.episode_id) for one in referral.taken}
        if len(ids) > 1:
            yield Violation.of("referral.two_answers", referral.key)


def one_episode(seen: Seen) -> Iterator[Violation]:
    """An answer without its episode is a child nobody will visit; two are two visits."""
    answered = {one.episode_id for referral in seen.referrals for one in referral.taken}
    listed = Counter(str(one["id"]) for one in seen.episodes)
    for episode_id in answered - listed.keys():
        yield Violation.of("episode.missing", episode_id)
    for episode_id, count in listed.items():
        if count > 1:
            yield Violation.of("episode.double", episode_id)
    if seen.referrals:
        # one whose answer was lost may have been taken, once
        unsure = sum(1 for referral in seen.referrals if not referral.taken)
        others = sorted(listed.keys() - answered)
        if len(others) > unsure:
            yield Violation.of("episode.double", *others)
    same = Counter((one["child_id"], one["missing_from"]) for one in seen.episodes)
    for one in seen.episodes:
        if same[one["child_id"], one["missing_from"]] > 1:
            yield Violation.of("episode.double", one["id"])


def one_offer(seen: Seen) -> Iterator[Violation]:
    """Each episode is offered one talk, and nothing else is."""
    if seen.offers is None:
        return
    offers = Counter(str(one["episode_id"]) for one in seen.offers)
    episodes = {str(one["id"]) for one in seen.episodes}
    for episode_id in episodes - offers.keys():
        yield Violation.of("offer.missing", episode_id)
    for episode_id, count in offers.items():
        if count > 1:
            yield Violation.of("offer.double", episode_id)
        if episode_id not in episodes:
            yield Violation.of("offer.orphan", episode_id)


RULES = (one_answer, one_episode, one_offer)
