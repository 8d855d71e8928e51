"""Referral: who the children are, when they were missing, who asked, and what pattern that makes.

Owns children, identities, episodes, referrals, safe-contact facts and triggers. Holds no words of
a child.

Events in: none.
Events out: EpisodeReferred, ChildChanged, TriggerFired (contracts/referral.py).
"""
