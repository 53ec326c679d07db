"""The literal lists that generated people and places are drawn from. Nobody real is meant."""

from __future__ import annotations

FIRST_NAMES = tuple(
    """Ana Ben Carla David Elena Felix Grace Hugo Ines Jonas Karin Leo Maria Nora Oscar Paula Quentin Rosa Samuel Tara
    Umar Vera Walter Xenia Yusuf Zoe Amir Bianca Cyril Dalia Emil Farah Goran Hana Igor Julia Kofi Lena Milan Nadia
    Omar Petra Rafael Sofia Tomas Ursula Viktor Wanda Yara Zeno""".split()
)

LAST_NAMES = tuple(
    """Silva Archer Brandt Costa Dubois Eriksen Fontaine Garcia Hughes Ivanov Jensen Kovacs Lindgren Moreau Novak
    Okafor Pereira Quinn Rossi Santos Tanaka Ueda Varga Walsh Xu Yilmaz Zhang Abbott Becker Castillo Dimitrov Engel
    Ferrari Green Hoffman Ibrahim Jansen Keller Lopez Murphy Nowak Ortega Park Romero Schmidt Turner Vogel Weber
    Young Ziegler""".split()
)

PLACES = (
    ("Springfield", "01001"), ("Riverton", "01002"), ("Fairview", "01003"), ("Lakewood", "01004"),
    ("Greenville", "01005"), ("Ashland", "01006"), ("Milton", "01007"), ("Oakdale", "01008"),
    ("Clinton", "01009"), ("Salem", "01010"), ("Dover", "01011"), ("Newport", "01012"),
)  # fmt: skip

CALL_REASONS = ("delivery question", "complaint", "loyalty points", "lost card", "opening hours", "change of address")
AGENTS = ("A01", "A02", "A03", "A04", "A05", "A06")
