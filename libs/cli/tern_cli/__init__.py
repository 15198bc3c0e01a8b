"""The `tern` command: uses the platform through its doors."""
