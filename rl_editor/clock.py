"""Times as people write them."""


def clock(seconds: float) -> str:
    """A time as people write it: 4:05, 1:02:03; tenths only where there are any under a minute."""
    if seconds < 60 and abs(seconds - round(seconds)) > 0.05:
        return f"0:{seconds:04.1f}"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
