"""What the cards of PhysioNet's sets share."""

from __future__ import annotations

LICENCE = "Open Data Commons Attribution License v1.0"
LICENCE_URL = "https://opendatacommons.org/licenses/by/1-0/"
CITATION = "A. L. Goldberger et al. PhysioBank, PhysioToolkit, and PhysioNet. Circulation 101(23):e215-e220, 2000."
