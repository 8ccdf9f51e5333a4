-- Pages, slides and sheets of the passages that were retrieved. Can run again.

ALTER TABLE gyre.retrieved_chunks
    ADD COLUMN IF NOT EXISTS position String COMMENT 'Where it stands in the original, for people (page 4); empty where that has no such parts' AFTER heading_path;
