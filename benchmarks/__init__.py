"""What memwell is measured by: quality, speed, reliability."""
