-- Who asked, and who may read what the answer was made from. Each statement can run again.

ALTER TABLE gyre.interactions
    ADD COLUMN IF NOT EXISTS actor String COMMENT 'Who asked, by the name that the caller''s system has for them; empty where it does not tell' AFTER conversation_id,
    ADD COLUMN IF NOT EXISTS document_acls Array(Array(String)) COMMENT 'Access groups of the retrieved documents that have any, each set once; who meets all of them, or asked, may read the answer' AFTER acl;
