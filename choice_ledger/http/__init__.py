"""The HTTP service: endpoints as a table, and the application that serves them."""
