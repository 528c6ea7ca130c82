"""What embedders that call an HTTP service share."""
