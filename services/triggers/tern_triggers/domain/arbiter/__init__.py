"""The arbiter: the order in which everything due for one customer is judged (triggers.md §4.4)."""
