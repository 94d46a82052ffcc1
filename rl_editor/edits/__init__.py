"""From a Track to an edit: EDL, editors, render, pictures."""
