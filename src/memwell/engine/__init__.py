"""The engine's working parts; `memwell.memory` is the face of them."""
