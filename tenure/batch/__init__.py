"""`tenure score`: a file, a folder or a query is scored where the command runs; the server keeps what was predicted."""
