"""What the server says about a credential, whichever half of it is asked: validate, forward, token."""
