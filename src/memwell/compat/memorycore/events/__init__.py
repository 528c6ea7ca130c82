"""MemoryCore's events and the bus that carries them."""
