"""`innoai …`: remote commands speak HTTP through the SDK; `serve`, `init` and `doctor` work here."""
