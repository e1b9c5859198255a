"""Makes forms and compares them with the version itself, in a process of its own, which alone loads the version."""
