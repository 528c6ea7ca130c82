"""What parts that call services over a network share."""
