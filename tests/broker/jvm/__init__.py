"""What starts a broker in a JVM."""
