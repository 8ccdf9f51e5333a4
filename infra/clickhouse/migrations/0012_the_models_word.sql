-- Citations for which a model's word alone speaks. Can run again.

ALTER TABLE gyre.interactions
    ADD COLUMN IF NOT EXISTS unsupported_citations Array(UInt32) COMMENT 'Which of citations, counted from 0, rest on a model''s word alone: no sentence of the passage supports them' AFTER citations;
