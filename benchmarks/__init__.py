"""`make bench`: CPU per request beside nginx and other gateways. README.md says how and why."""
