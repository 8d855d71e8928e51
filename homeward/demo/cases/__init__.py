"""The worked cases that the demo plays, each in a module of its own."""

from homeward.demo.case import Case
from homeward.demo.cases.fiona import CASE as FIONA
from homeward.demo.cases.laura import CASE as LAURA
from homeward.demo.cases.weekend import CASE as WEEKEND

CASES: dict[str, Case] = {case.key: case for case in (WEEKEND, LAURA, FIONA)}
