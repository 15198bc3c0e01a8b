"""The front door: tracking events over HTTP, durable on Kafka."""
