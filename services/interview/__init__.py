"""Keeps what was said in a talk, in the child's own words, and hands out named parts on request.

Events in: `referral.EpisodeReferred` (which episodes exist, and whose they are).
Events out: `InterviewRecorded` (a talk was held; scheduling stops its clock, sharing proposes) and
`ItemAmended` (an item is new or has a new version). Both carry ids, codes and times only.

The words are in this service's database and nowhere else. They are read by the worker who
recorded them, managers and the designated safeguarding lead, or part by part by `sharing`; each
read leaves an access record before the bytes leave.
"""
