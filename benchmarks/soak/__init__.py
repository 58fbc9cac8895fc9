"""`make soak`: innoai under full load with callers that misbehave, and the accounts of it."""
