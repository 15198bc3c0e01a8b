"""What should happen, when, and why not."""
