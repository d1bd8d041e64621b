"""The mutation test: change the money's code in small ways, and see whether a test notices."""
