"""What happened, told to the tenant's systems: the outbox, webhook delivery, signing."""
