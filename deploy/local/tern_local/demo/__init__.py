"""`make demo`: a story in a shop, told by real events, and its end read back from Kafka."""
