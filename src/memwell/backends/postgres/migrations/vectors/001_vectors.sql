-- One partition a model, made when its first vectors come (`vectors_1`, …).`vec` is what searches compare: the unit vector in the middle
-- of the passages. `passages` are those of a text of several, as rows of little-endian float32; `spans` their character
-- ranges as JSON, also of a single passage that is not the whole text.
CREATE TABLE vectors (
    model int NOT NULL,
    key bigint NOT NULL,
    vec vector NOT NULL,
    spans text COLLATE "C",
    passages bytea,
    PRIMARY KEY (key, model)
) PARTITION BY LIST (model);
ALTER TABLE vectors ALTER COLUMN passages SET STORAGE EXTERNAL;

CREATE FUNCTION memwell_clean_vectors() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM vectors x USING gone WHERE x.key = gone.key;
    RETURN NULL;
END $$;
CREATE TRIGGER records_clean_vectors AFTER DELETE ON records REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION memwell_clean_vectors();
