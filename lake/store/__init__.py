"""Where the lake lies: its root, its raw replies, its Delta tables and its DuckDB catalogue."""
