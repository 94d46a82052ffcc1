"""Sound as arrays: reading and writing files, sample songs."""
