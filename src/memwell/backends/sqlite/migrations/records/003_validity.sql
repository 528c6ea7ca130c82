-- When what a memory says is true (microseconds since 1970-01-01 UTC), beside when it was stored.
ALTER TABLE records ADD COLUMN valid_from INTEGER;
ALTER TABLE records ADD COLUMN valid_to INTEGER;
