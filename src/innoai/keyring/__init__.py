"""The live view of the store that requests are decided by."""
