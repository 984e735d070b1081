"""What is measured: latency, quality, and the reports made of it."""
