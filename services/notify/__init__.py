"""Tells people: a young person of their appointment, staff of what is urgent or late.

Events in: `scheduling.AppointmentBooked`, `DeadlineNear`, `DeadlineMissed` and
`sharing.UrgentHoldRaised` (which also arrives by `POST /pages` when the bus is away).
Events out: `MessageSent` and `MessageBlocked`.

A young person is written to only by a channel of their own that is known to be safe, asked again
just before each send; where there is none nothing is sent and a worker gets a task. What goes to
staff carries ids, codes and times, never names or words. No address is kept here.
"""
