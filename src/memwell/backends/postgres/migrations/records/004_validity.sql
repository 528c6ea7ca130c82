-- When what a memory says is true, beside when it was stored.
ALTER TABLE records ADD COLUMN valid_from timestamptz;
ALTER TABLE records ADD COLUMN valid_to timestamptz;
