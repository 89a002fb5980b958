"""What follows from the log: facts, folds, `decide`, the projector; ports `EventSource` and `StateStore`."""
