"""Marked names, sentences, addresses, numbers and birth dates, and how to find them again.

Each field has a mark of its own, so that a leak names the field it came from.
"""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256

WORD = "Qv7Wren"
BIRTH = "2012-02-29"
"""A day that nothing else in a test falls on."""
_PHONE = "07700 98"


@dataclass
class Marks:
    """The marks given out in one run, each with the field it was put into."""

    where: dict[str, str] = field(default_factory=dict)
    _values: dict[str, str] = field(default_factory=dict)
    """Values that a plain digest could be of."""

    def word(self, where: str) -> str:
        """Return one word for a field, always the same."""
        known = {place: mark for mark, place in self.where.items()}
        if where not in known:
            mark = f"{WORD}{len(self.where):04d}"
            self.where[mark.lower()] = where
            return self._kept(mark, where)
        return f"{WORD}{known[where].removeprefix(WORD.lower())}"

    def sentence(self, where: str) -> str:
        return self._kept(f"{self.word(where)} said he would not let her go", where)

    def code(self, where: str) -> str:
        """Return one that fits where only a code may stand."""
        return self.word(where).lower()

    def address(self, where: str) -> str:
        return self._kept(f"{self.code(where)}@example.invalid", where)

    def phone(self, where: str) -> str:
        return self._kept(f"{_PHONE}{self.word(where).removeprefix(WORD)}", where)

    def _kept(self, value: str, where: str) -> str:
        self._values[value] = where
        return value

    def found_in(self, data: bytes) -> dict[str, str]:
        """Return what of the marks is in `data`, however it was written, with its field."""
        found = {}
        for mark in _PLAIN.findall(data):
            name = mark.decode().lower()
            found[name] = self.where.get(name, "a mark nobody gave out")
        for phone in _PHONES.findall(data):
            found[f"phone …{phone.decode()}"] = self.where.get(f"qv7wren{phone.decode()}", "phone")
        if _BIRTHS.search(data):
            found[BIRTH] = "a birth date"
        if _ENCODED.search(data):
            found["encoded"] = "a mark in base64, hex or UTF-16"
        for digest in _DIGESTS.findall(data):
            if digest in self._digests():
                found[digest.decode()[:12]] = f"plain digest of {self._digests()[digest]}"
        return found

    def _digests(self) -> dict[bytes, str]:
        if len(self._made) != len(self._values):
            self._made = {
                sha256(value.encode()).hexdigest().encode(): where
                for value, where in self._values.items()
            }
        return self._made

    _made: dict[bytes, str] = field(default_factory=dict)


def _encodings() -> Iterator[bytes]:
    word = WORD.encode()
    for form in (word, word.lower()):
        for shift in range(3):
            whole = base64.b64encode(b"\0" * shift + form)
            yield re.escape(whole[(0, 2, 3)[shift] : len(whole) - 4])
        yield form.hex().encode()
        yield re.escape(form.decode().encode("utf-16-le"))


_PLAIN = re.compile(WORD.encode() + rb"\d{4}", re.IGNORECASE)
_PHONES = re.compile(rb"(?:0|44)7700.?98(\d{4})")
_BIRTHS = re.compile(rb"2012-02-29|29/0?2/2012|20120229|29 Feb(?:ruary)? 2012")
_ENCODED = re.compile(b"|".join(_encodings()))
_DIGESTS = re.compile(rb"\b[0-9a-f]{64}\b")
