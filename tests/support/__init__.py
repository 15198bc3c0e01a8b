"""What the tests share: waiting for a condition, a real broker and database, names that do not clash."""
