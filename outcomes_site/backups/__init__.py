"""Encrypted backups that are proved by reading them back, and restores that forget the erased."""
