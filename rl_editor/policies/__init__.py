"""Networks: what an agent hears in a Track, and how it decides; no word of Lightning."""
