"""Cluster expansions: parent lattices, structures mapped onto them, correlations of their clusters.

J. M. Sanchez, F. Ducastelle, D. Gratias, Physica A 128, 334 (1984); correlations are those of icet (M. Ångqvist et al.,
Adv. Theory Simul. 2, 1900015 (2019)).
"""

import os

# Where a tolerance is too wide for a crystal, spglib says so on stderr, once a crystal; it reads this when loaded.
os.environ.setdefault("SPGLIB_WARNING", "OFF")
