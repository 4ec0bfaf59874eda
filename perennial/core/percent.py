"""Shares in percent, as people read them."""

MOST_DIGITS = 6


def percent(share: float, digits: int = 0) -> str:
    """`share` in percent with so many digits behind the point, or as many more as it takes: what is not all is never
    100%, and what is something never 0%.

    >>> percent(0.5), percent(1), percent(0.998), percent(0.002), percent(0.9999, 1)
    ('50%', '100%', '99.8%', '0.2%', '99.99%')
    """
    for more in range(digits, MOST_DIGITS + 1):
        text = f"{share:.{more}%}"
        if share in (0, 1) or float(text[:-1]) not in (0, 100):
            return text
    return f"under {10.0**-MOST_DIGITS:.{MOST_DIGITS}f}%" if share < 0.5 else f"over 99.{'9' * MOST_DIGITS}%"
