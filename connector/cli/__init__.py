"""The connector command."""
