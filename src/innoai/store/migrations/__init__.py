"""Alembic revisions; the newest is what tables.py says."""
