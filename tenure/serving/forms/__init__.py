"""Versions as data: forms that were proven to answer as the version itself does, evaluated inside the gateway."""
