"""The commands; one file a command, nothing is decided here."""
