"""Charter against named rivals on the machine at hand: ratios, never absolute speeds."""
