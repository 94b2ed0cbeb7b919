"""The tables of matlake: schema, read, write, snapshot, catalogue, and the sources that fill them."""

__version__ = "0.1.0"
