"""Homes in which everything is marked, one on each kind of database."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # the modules beside are imported by name
