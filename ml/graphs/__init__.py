"""Crystals as graphs: neighbours in full shells, the quotient graph, one flat store, batches by index.

Use :class:`ml.graphs.settings.GraphSettings`, :func:`ml.graphs.build.graphs_of` (in memory),
:func:`ml.graphs.store.graph_store` (on disk) and :class:`ml.graphs.batch.DeviceGraphs`.
"""
