"""`edge bench`: how fast this device runs the whole path, and what it costs; and comparisons."""
