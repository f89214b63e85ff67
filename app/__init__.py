"""Cron for HTTP endpoints that keeps a ledger."""

__version__ = "0.1.0"
