"""Which supercells of a lattice a cell can be: integer matrices by the lengths and angles of its vectors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MOST_MATRICES = 400


def supercells(cell: Floats, parent: Floats, size: int, tolerance: float) -> Ints:
    """Matrices T of determinant ± ``size`` for which T · parent has the lengths and angles of a cell.

    Only the metric counts: the cell may be rotated or mirrored. The best come first, at most :data:`MOST_MATRICES`.

    Args:
        cell: rows, Å.
        parent: rows of the primitive cell, scaled to the volume per site of the cell, Å.
        size: primitive cells in the cell.
        tolerance: largest difference of an entry of the metric, as a share of the lengths.

    Returns:
        (k, 3, 3); k may be 0.
    """
    metric = cell @ cell.T
    lengths = np.sqrt(np.diag(metric))
    vectors = _vectors(parent, float(lengths.max()) * (1 + tolerance))
    cartesian = vectors @ parent
    norm = np.sqrt((cartesian**2).sum(axis=1))
    near = [np.flatnonzero(np.abs(norm / length - 1) < tolerance) for length in lengths]
    if min(len(one) for one in near) == 0:
        return np.zeros((0, 3, 3), dtype=np.int64)
    first, second, third = (cartesian[one] for one in near)
    bounds = tolerance * np.outer(lengths, lengths)
    of_first_second = np.abs(first @ second.T - metric[0, 1]) < bounds[0, 1]
    of_first_third = np.abs(first @ third.T - metric[0, 2]) < bounds[0, 2]
    of_second_third = np.abs(second @ third.T - metric[1, 2]) < bounds[1, 2]
    found: list[Ints] = []
    for a, b in np.argwhere(of_first_second):
        for c in np.flatnonzero(of_first_third[a] & of_second_third[b]):
            found.append(np.array([vectors[near[0][a]], vectors[near[1][b]], vectors[near[2][c]]]))
        if len(found) > 20 * MOST_MATRICES:
            break
    if not found:
        return np.zeros((0, 3, 3), dtype=np.int64)
    matrices = np.array(found)
    matrices = matrices[np.abs(np.rint(np.linalg.det(matrices))) == size]
    metrics = np.einsum("kij,kpj->kip", matrices @ parent, matrices @ parent)
    error = np.abs(metrics - metric).max(axis=(1, 2))
    return np.asarray(matrices[np.argsort(error, kind="stable")[:MOST_MATRICES]], dtype=np.int64)


def without_turned(matrices: Ints, rotations: Ints) -> Ints:
    """Supercells (k, 3, 3) of which none is another one turned by a symmetry of the lattice; the first of each.

    Args:
        matrices: rows are vectors in units of the primitive ones.
        rotations: of the lattice (r, 3, 3), acting on columns of such units.
    """
    if len(matrices) < 2:
        return matrices
    turned = np.einsum("kij,rlj->kril", matrices, rotations).reshape(len(matrices), len(rotations), 9)
    weights = 1_009 ** np.arange(9, dtype=np.int64) % 2_147_483_647
    # The smallest of a digest over all turned ones is the same for all that are turned into each other.
    digest = ((turned @ weights) * 31 + (turned**2) @ weights[::-1]).min(axis=1)
    return np.asarray(matrices[np.sort(np.unique(digest, return_index=True)[1])], dtype=np.int64)


def _vectors(parent: Floats, longest: float) -> Ints:
    """All lattice vectors up to a length, in units of the primitive ones (k, 3)."""
    # The distance between planes bounds how often a vector can be taken.
    reach = np.floor(longest * np.sqrt((np.linalg.inv(parent) ** 2).sum(axis=0)) + 1e-9).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    lengths = np.sqrt(((grid @ parent) ** 2).sum(axis=1))
    return np.asarray(grid[(lengths <= longest) & (lengths > 1e-6)], dtype=np.int64)
