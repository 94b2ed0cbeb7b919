"""How far a model carries from one database to another."""
