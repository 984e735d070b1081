"""LoRAs: small files that change an open checkpoint, read without trust, fitted, and weighed while it paints."""
