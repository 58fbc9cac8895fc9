"""The web pages: a client of the control plane, like the CLI, for people who have signed in."""
