"""The command line as people and scripts use it: what it prints, how it ends, and what is recorded."""
