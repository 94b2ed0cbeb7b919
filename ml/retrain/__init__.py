"""Champion and challenger: train anew where the data changed, promote what is not worse."""
