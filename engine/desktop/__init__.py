"""The rule-based desktop: what must never be wrong. Deterministic; its clock is passed in with the events."""
