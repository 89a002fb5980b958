"""The application: wiring (the one place that names adapters), settings, the command line and the doctor."""
