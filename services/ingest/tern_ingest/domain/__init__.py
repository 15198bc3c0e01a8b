"""What ingest decides: bytes and moments in, decisions out. Knows no HTTP, no Kafka, no database, no clock."""
