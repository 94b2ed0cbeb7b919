"""How alike the calculations of one material are, by the settings that they were made with."""
