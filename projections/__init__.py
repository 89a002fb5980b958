"""What follows from the log: facts, folds, `decide`, the projector, and the ports `EventSource` and `StateStore`."""
