"""The durable truth: tables, queries by resource, migrations, secrets at rest, the change feed."""
