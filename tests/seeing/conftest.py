"""A home in which a case was played while a real Prometheus watched, shared by this folder."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # the modules beside are imported by name

from seeing_home import played, scraped, watched

__all__ = ["played", "scraped", "watched"]
