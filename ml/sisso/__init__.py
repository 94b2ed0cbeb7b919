"""SISSO: formulas from primary features by algebra, screening and exhaustive search.

R. Ouyang et al., Phys. Rev. Materials 2, 083802 (2018); several tasks: J. Phys. Mater. 2, 024002 (2019).
"""
