-- Papers that parties hand in, by the record they belong to.

-- papers_of_record --
-- The newest first. A file that was refused, or never looked at, is gone.
SELECT id, name, media, size_bytes, state, why, expires_on, uploaded_by, uploaded_at, judged_by, judged_at FROM papers
 WHERE store_hash = :store_hash AND record_kind = :kind AND record_id = :id ORDER BY papers.id DESC LIMIT :most;

-- fetch_handed_in --
SELECT * FROM papers WHERE store_hash = :store_hash AND id = :id;

-- count_handed_in --
-- What the party itself uploaded since then.
SELECT count(*) FROM papers
 WHERE store_hash = :store_hash AND record_kind = :kind AND record_id = :id AND uploaded_by = 0 AND uploaded_at > :since;

-- accepted_papers --
SELECT name, uploaded_at, expires_on FROM papers
 WHERE store_hash = :store_hash AND record_kind = :kind AND record_id = :id AND state = 'accepted' ORDER BY name;

-- applicants_with_ending_papers --
-- global: accounts whose papers end in these days and that nobody has looked at lately, once in a while.
SELECT DISTINCT p.store_hash, p.record_kind, p.record_id
  FROM papers p JOIN records r ON r.store_hash = p.store_hash AND r.kind = p.record_kind AND r.id = p.record_id
  JOIN stores s ON s.store_hash = p.store_hash AND s.state = 'active'
 WHERE p.state = 'accepted' AND p.record_kind IN ('company', 'customer')
   AND p.expires_on BETWEEN :past AND :soon AND r.looked_at < :before AND r.gone_since IS NULL LIMIT :most;

-- papers_ending_untold --
-- global: what counts and ends in these days, where nobody of its request was told yet.
SELECT p.store_hash, p.id, p.request_id
  FROM papers p JOIN stores s ON s.store_hash = p.store_hash AND s.state = 'active'
 WHERE p.state = 'accepted' AND p.expires_on BETWEEN :today AND :soon AND p.request_id IS NOT NULL
   AND NOT EXISTS (SELECT FROM requests q JOIN notices n ON n.store_hash = q.store_hash AND n.request_id = q.id
                    WHERE q.store_hash = p.store_hash AND q.record_kind = p.record_kind AND q.record_id = p.record_id
                      AND n.kind = 'paper_ends:' || CAST(p.id AS text))
 ORDER BY p.expires_on, p.id LIMIT :most;

-- add_handed_in --
-- Nothing comes back when another one came in the same moment.
INSERT INTO papers (store_hash, record_kind, record_id, name, media, size_bytes, sha256, request_id, uploaded_by, uploaded_at)
VALUES (:store_hash, :kind, :id, :name, :media, :size, :sha256, :request_id, :by, :now)
ON CONFLICT (store_hash, record_kind, record_id, name) WHERE state = 'waiting' DO NOTHING
RETURNING id;

-- add_paper_piece --
INSERT INTO paper_pieces (store_hash, paper_id, position, content) VALUES (:store_hash, :id, :position, :content);

-- paper_pieces --
SELECT position, content FROM paper_pieces WHERE store_hash = :store_hash AND paper_id = :id ORDER BY position;

-- drop_paper_pieces --
DELETE FROM paper_pieces WHERE store_hash = :store_hash AND paper_id = :id;

-- current_paper --
-- The one in this state; at most one is waiting, and at most one counts.
SELECT id FROM papers
 WHERE store_hash = :store_hash AND record_kind = :kind AND record_id = :id AND name = :name AND state = :state FOR UPDATE;

-- move_paper --
-- Nothing comes back when somebody else moved it before.
UPDATE papers SET state = :state, why = :why, expires_on = COALESCE(CAST(:expires_on AS date), expires_on),
       judged_by = COALESCE(CAST(:by AS bigint), judged_by),
       judged_at = CASE WHEN CAST(:by AS bigint) IS NULL THEN judged_at ELSE :now END
 WHERE store_hash = :store_hash AND id = :id AND state = CAST(:was AS text)
RETURNING id;

-- erase_papers --
-- Of records that name this person, of suppliers that they act for, and what came from their requests. Pieces go along.
WITH done AS (
    DELETE FROM papers p
     WHERE p.store_hash = :store_hash
       AND ((p.record_kind, p.record_id) IN (SELECT m.kind, m.id
                                               FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS text[])) AS m(kind, id))
            OR p.request_id = ANY(CAST(:requests AS bigint[]))
            OR p.record_kind = 'supplier' AND p.record_id IN (SELECT CAST(c.supplier_id AS text) FROM supplier_contacts c
                                                               WHERE c.store_hash = :store_hash AND c.email = :email))
    RETURNING 1)
SELECT count(*) FROM done;
