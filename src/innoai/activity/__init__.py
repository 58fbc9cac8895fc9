"""What keys do: counted for the store, and told as it happens to whoever watches."""
