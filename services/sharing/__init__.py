"""The gate: decides item by item and recipient by recipient what leaves, and is the only way out.

Events in: referral.EpisodeReferred, ChildChanged; scheduling.AttemptMade, AppointmentBooked,
OutcomeReported; interview.InterviewRecorded, ItemAmended.
Events out: ReleasePermitted, ReleaseRefused, ReleaseHeld, ReleaseDelivered, UrgentHoldRaised,
AgreementWithdrawn.
"""
