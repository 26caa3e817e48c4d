"""The server's own tests: third-party clients prove it, and every switch is shown to do what it says."""
