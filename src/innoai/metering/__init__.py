"""Usage is money: what was served is read from the answer, spooled, and shipped to the store."""
