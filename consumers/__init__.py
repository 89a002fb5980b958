"""Who acts on the log: the runner that reads it onwards and hands events to those who asked for them."""
