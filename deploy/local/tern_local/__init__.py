"""The local stack: a real Apache Kafka, a real PostgreSQL and the four services as child processes."""
