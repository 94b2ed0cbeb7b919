"""The networks: SchNet, MPEU and PaiNN, several members of an ensemble at once."""
