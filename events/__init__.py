"""What can be said: event types, schemas, codec, lines, streams, and the policy catalogue. Pure."""
