-- add_chunk --
-- One piece of a document. A piece that is there already stays: the same hash is the same content.
INSERT INTO chunks (store_hash, sha256, position, last, content)
VALUES (:store_hash, :sha256, :position, :last, :content)
ON CONFLICT (store_hash, sha256, position) DO NOTHING;

-- read_chunks --
-- All pieces of a document, first to last.
SELECT position, last, content FROM chunks WHERE store_hash = :store_hash AND sha256 = :sha256 ORDER BY position;

-- delete_chunks --
-- Forget a document; the caller knows that nothing points at it any more.
DELETE FROM chunks WHERE store_hash = :store_hash AND sha256 = :sha256;

-- sum_chunks --
-- How many documents a store keeps, and their sealed bytes.
SELECT count(DISTINCT sha256) AS documents, CAST(COALESCE(sum(octet_length(content)), 0) AS bigint) AS size_bytes
  FROM chunks WHERE store_hash = :store_hash;
