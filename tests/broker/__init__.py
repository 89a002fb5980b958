"""Tests that talk to a real Kafka broker."""
