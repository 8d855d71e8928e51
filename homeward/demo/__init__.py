"""Worked cases, played through the public APIs and shown on one page."""
