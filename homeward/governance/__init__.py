"""The life of the sharing rules: read, compared, replayed over history, proved, put in force.

Functions come first and print nothing; each `*_command.py` beside them is their command line, so
that pages can be built on the same functions.
"""
