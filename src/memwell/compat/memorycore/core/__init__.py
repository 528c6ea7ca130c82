"""The data model and the interfaces of MemoryCore."""
