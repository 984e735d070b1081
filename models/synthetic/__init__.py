"""The synthetic source: random desktops, drawn in random styles, with the labels that go with them. Never torch."""
