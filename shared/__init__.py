"""Everything the functions share: the core (no I/O), the edges (the only users of SDKs) and the wiring between them."""
