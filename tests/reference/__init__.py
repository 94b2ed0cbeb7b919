"""The public reference of the fingerprints, in an environment of its own: asked, never imported."""
