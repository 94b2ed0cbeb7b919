"""Where the elements stand in the periodic table."""

from __future__ import annotations

_ROWS = (
    "H . . . . . . . . . . . . . . . . He",
    "Li Be . . . . . . . . . . B C N O F Ne",
    "Na Mg . . . . . . . . . . Al Si P S Cl Ar",
    "K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr",
    "Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe",
    "Cs Ba . Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn",
    "Fr Ra . Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og",
    ". . La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu .",
    ". . Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr .",
)

PLACES: dict[str, tuple[int, int]] = {
    symbol: (row, column)
    for row, line in zip((1, 2, 3, 4, 5, 6, 7, 9, 10), _ROWS, strict=True)
    for column, symbol in enumerate(line.split(), start=1)
    if symbol != "."
}
"""Element symbol → (row, column) from 1; rows 9 and 10 are the lanthanides and actinides, row 8 is a gap."""
