"""The pages: every link leads somewhere, and every command in them is one that there is."""
