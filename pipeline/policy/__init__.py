"""Rules, verdicts and the decision: pure functions, failing closed."""
