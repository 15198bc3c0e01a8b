"""Schema `access`: the one thing that services share. Written by the `tern` command, readable by every service."""
