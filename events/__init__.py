"""What can be said: the event types, their schemas, codec and upcasters, streams, and the policy catalogue. Pure."""
