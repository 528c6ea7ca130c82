-- On which server the change sequence was last begun anew, because transactions were lost that followers had seen.
ALTER TABLE trimmed ADD COLUMN server text;
