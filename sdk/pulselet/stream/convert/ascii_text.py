"""Units and names in formats that know ASCII only, and only so many characters of it."""

from __future__ import annotations

import unicodedata

LETTERS = {
    "µ": "u",
    "μ": "u",
    "°": "deg",
    "Ω": "Ohm",
    "\u2126": "Ohm",
    "²": "2",
    "³": "3",
    "·": ".",
    "×": "x",
    "−": "-",
}


def to_ascii(text: str) -> str:
    """Return a text in printable ASCII: what has a customary spelling gets it, what has none becomes a question mark.

    >>> to_ascii("µV"), to_ascii("°C"), to_ascii("m/s²"), to_ascii("Zähler")
    ('uV', 'degC', 'm/s2', 'Zahler')
    """
    spelt = "".join(LETTERS.get(letter, letter) for letter in text)
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", spelt) if not unicodedata.combining(letter))
    return "".join(letter if " " <= letter <= "~" else "?" for letter in plain)


class Shortened:
    """Gives each text a place of `size` ASCII characters, and remembers in `notes` what it had to change."""

    def __init__(self, size: int, what: str) -> None:
        self.size, self.what = size, what
        self.notes: list[str] = []

    def __call__(self, text: str) -> str:
        """Return what stands in the file."""
        short = to_ascii(text)[: self.size].strip()
        self._note(text, short)
        return short

    def unique(self, texts: list[str]) -> list[str]:
        """Return what stands in the file for each of several texts, no two alike."""
        found: list[str] = []
        for text in texts:
            short, number = to_ascii(text)[: self.size].strip(), 1
            while short in found:
                number += 1
                short = f"{to_ascii(text)[: self.size - len(str(number)) - 1].strip()}~{number}"
            self._note(text, short)
            found.append(short)
        return found

    def _note(self, text: str, short: str) -> None:
        note = f"{self.what} {text!r} is written as {short!r}"
        if short != text and note not in self.notes:
            self.notes.append(note)
