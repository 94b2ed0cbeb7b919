"""Science on tables: identity, overlap, offsets, figures."""
