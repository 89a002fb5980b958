"""What may be appended: commands, the ports `EventLog` and `CatalogueView`, and the log adapters."""
