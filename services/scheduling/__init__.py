"""Scheduling: the offer of a talk for each episode, the clocks, who goes, and how it ended.

Owns offers, contact attempts, clocks, workers, continuity and preference, bookings, follow-ups.
Decides nothing about who is eligible.

Events in: EpisodeReferred (referral), InterviewRecorded (interview).
Events out: OfferMade, AttemptMade, DeadlineMet, DeadlineNear, DeadlineMissed, AppointmentBooked,
OutcomeReported, EpisodeClosed (contracts/scheduling.py).
"""
