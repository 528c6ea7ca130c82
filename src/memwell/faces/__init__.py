"""Groups of methods of `AsyncMemory`, each beside the same methods of `Memory` without `await`."""
