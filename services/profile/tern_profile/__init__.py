"""What do we know: one record per customer."""
