-- add_supplier --
-- Nothing comes back when it stands there already.
INSERT INTO suppliers (store_hash, name, registration, identity, country, language, invited_at, origin_key, created_at, created_by, modified_at)
VALUES (:store_hash, :name, :registration, :identity, :country, :language, :invited_at, :origin_key, :now, :author, :now)
ON CONFLICT DO NOTHING
RETURNING id;

-- supplier_of_key --
SELECT id, identity FROM suppliers WHERE store_hash = :store_hash AND origin_key = :origin_key AND origin_key <> '';

-- supplier_rules --
-- What live rules of a workflow choose.
SELECT v.definition FROM rules r
  JOIN rule_versions v ON v.store_hash = r.store_hash AND v.rule_id = r.id AND v.version = r.version
 WHERE r.store_hash = :store_hash AND r.workflow = :workflow AND r.mode = 'live' AND NOT r.archived ORDER BY r.id;

-- fetch_supplier --
SELECT s.*, (SELECT count(*) FROM supplier_products p
              WHERE p.store_hash = s.store_hash AND p.supplier_id = s.id AND p.state = 'hidden') AS hidden,
       (SELECT count(*) FROM supplier_products p
         WHERE p.store_hash = s.store_hash AND p.supplier_id = s.id AND p.state = 'wanted') AS to_hide
  FROM suppliers s WHERE s.store_hash = :store_hash AND s.id = :id;

-- lock_supplier --
SELECT id, state, invited_at, term, hiding, hiding_on, hide_all FROM suppliers
 WHERE store_hash = :store_hash AND id = :id FOR UPDATE;

-- supplier_contacts --
SELECT role, name, email FROM supplier_contacts WHERE store_hash = :store_hash AND supplier_id = :id ORDER BY role DESC;

-- supplier_covers --
SELECT kind, name, ref, looked_at FROM supplier_covers WHERE store_hash = :store_hash AND supplier_id = :id ORDER BY kind, name;

-- was_supplier_asked --
SELECT EXISTS (SELECT FROM requests WHERE store_hash = :store_hash AND record_kind = 'supplier' AND record_id = :id);

-- suppliers_of_cover --
-- Those that sell it now.
SELECT DISTINCT s.id FROM supplier_covers c JOIN suppliers s ON s.store_hash = c.store_hash AND s.id = c.supplier_id
 WHERE c.store_hash = :store_hash AND c.kind = :kind AND c.ref = :ref AND s.state = 'active' ORDER BY s.id;

-- covers_written_back --
-- What the last whole write of its metafields went to.
SELECT left_as FROM actions
 WHERE store_hash = :store_hash AND record_kind = 'supplier' AND record_id = :id
   AND kind = 'write_metafields' AND state = 'applied' AND left_as IS NOT NULL
 ORDER BY id DESC LIMIT 1;

-- supplier_checklist --
SELECT item, needed, given_on, expires_on, renews_on, request_id, term FROM supplier_checklist
 WHERE store_hash = :store_hash AND supplier_id = :id ORDER BY item;

-- change_supplier --
-- Nothing comes back for one that is not there, or whose new name or number another one has.
UPDATE suppliers SET name = :name, registration = :registration, identity = :identity, country = :country,
       language = :language, modified_at = :now
 WHERE store_hash = :store_hash AND id = :id
   AND NOT EXISTS (SELECT FROM suppliers o WHERE o.store_hash = :store_hash AND o.identity = :identity AND o.id <> :id)
RETURNING id;

-- put_supplier_contact --
INSERT INTO supplier_contacts (store_hash, supplier_id, role, name, email) VALUES (:store_hash, :id, :role, :name, :email)
ON CONFLICT (store_hash, supplier_id, role) DO UPDATE SET name = EXCLUDED.name, email = EXCLUDED.email;

-- drop_supplier_contact --
DELETE FROM supplier_contacts WHERE store_hash = :store_hash AND supplier_id = :id AND role = :role;

-- keep_supplier_covers --
-- Take away the covers that are not named any more.
DELETE FROM supplier_covers c WHERE c.store_hash = :store_hash AND c.supplier_id = :id
   AND NOT EXISTS (SELECT FROM unnest(CAST(:kinds AS text[]), CAST(:names AS text[])) AS n(kind, name)
                    WHERE n.kind = c.kind AND n.name = c.name);

-- add_supplier_covers --
INSERT INTO supplier_covers (store_hash, supplier_id, kind, name, ref)
SELECT :store_hash, :id, n.kind, n.name, n.ref
  FROM unnest(CAST(:kinds AS text[]), CAST(:names AS text[]), CAST(:refs AS bigint[])) AS n(kind, name, ref)
ON CONFLICT (store_hash, supplier_id, kind, name) DO NOTHING;

-- find_supplier_cover --
-- A cover that was found once keeps its number, whatever it is called later.
UPDATE supplier_covers SET ref = CASE WHEN ref = 0 THEN :ref ELSE ref END, looked_at = :now
 WHERE store_hash = :store_hash AND supplier_id = :id AND kind = :kind AND name = :name;

-- put_supplier_paper --
INSERT INTO supplier_checklist (store_hash, supplier_id, item, needed, given_on, expires_on)
VALUES (:store_hash, :id, :item, :needed, :given_on, :expires_on)
ON CONFLICT (store_hash, supplier_id, item) DO UPDATE
   SET needed = EXCLUDED.needed, given_on = EXCLUDED.given_on, expires_on = EXCLUDED.expires_on;

-- keep_supplier_agreement --
-- What a signature puts onto the checklist; the same signature again changes nothing, an older term never undoes a newer.
INSERT INTO supplier_checklist (store_hash, supplier_id, item, given_on, expires_on, renews_on, request_id, term)
VALUES (:store_hash, :id, 'agreement', :given_on, :expires_on, :renews_on, :request_id, :term)
ON CONFLICT (store_hash, supplier_id, item) DO UPDATE
   SET given_on = EXCLUDED.given_on, expires_on = EXCLUDED.expires_on, renews_on = EXCLUDED.renews_on,
       request_id = EXCLUDED.request_id, term = EXCLUDED.term
 WHERE supplier_checklist.term <= EXCLUDED.term;

-- invite_supplier --
-- hide_all: a person saw what hiding would do, and chose it.
UPDATE suppliers SET invited_at = COALESCE(invited_at, :now), hide_all = :hide_all, modified_at = :now
 WHERE store_hash = :store_hash AND id = :id AND state = 'active'
RETURNING id;

-- set_supplier_state --
-- Nothing comes back when it was so already.
UPDATE suppliers SET state = :state, modified_at = :now
 WHERE store_hash = :store_hash AND id = :id AND state <> CAST(:state AS text)
RETURNING id;

-- raise_supplier_terms --
-- Agreements that are due for renewal: the next term is asked for. Each once.
UPDATE suppliers s SET term = s.term + 1, modified_at = :now
  FROM supplier_checklist c
 WHERE s.store_hash = :store_hash AND c.store_hash = s.store_hash AND c.supplier_id = s.id AND c.item = 'agreement'
   AND s.state = 'active' AND c.term = s.term AND c.renews_on <= CAST(:today AS date)
RETURNING s.id;

-- suppliers_to_look_at --
-- Active ones of which a paper ends about now, or whose agreement ran out while its renewal is unsigned.
SELECT DISTINCT s.id FROM suppliers s
  JOIN supplier_checklist c ON c.store_hash = s.store_hash AND c.supplier_id = s.id
  LEFT JOIN records r ON r.store_hash = s.store_hash AND r.kind = 'supplier' AND r.id = CAST(s.id AS text)
 WHERE s.store_hash = :store_hash AND s.state = 'active' AND s.invited_at IS NOT NULL AND c.given_on IS NOT NULL
   AND c.expires_on <= CAST(:soon AS date)
   AND (r.looked_at IS NULL OR r.looked_at < CAST(:midnight AS timestamptz));

-- save_supplier_impact --
UPDATE suppliers SET impact = CAST(:impact AS jsonb) WHERE store_hash = :store_hash AND id = :id;

-- list_suppliers --
SELECT s.id, s.name, s.country, s.state, s.invited_at, s.hiding, s.created_at,
       h.state AS hold, c.name AS signatory, c.email AS signatory_email,
       a.given_on AS signed_on, a.expires_on AS signed_until, a.term AS signed_term, s.term,
       (SELECT count(*) FROM supplier_products p
         WHERE p.store_hash = s.store_hash AND p.supplier_id = s.id AND p.state = 'hidden') AS hidden,
       (SELECT q.status FROM requests q
         WHERE q.store_hash = s.store_hash AND q.record_kind = 'supplier' AND q.record_id = CAST(s.id AS text)
         ORDER BY q.id DESC LIMIT 1) AS request,
       (SELECT COALESCE(jsonb_agg(jsonb_build_array(k.item, k.needed, k.given_on, k.expires_on)), '[]')
          FROM supplier_checklist k WHERE k.store_hash = s.store_hash AND k.supplier_id = s.id) AS papers,
       count(*) OVER () AS total
  FROM suppliers s
  LEFT JOIN holds h ON h.store_hash = s.store_hash AND h.record_kind = 'supplier' AND h.record_id = CAST(s.id AS text)
  LEFT JOIN supplier_contacts c ON c.store_hash = s.store_hash AND c.supplier_id = s.id AND c.role = 'signatory'
  LEFT JOIN supplier_checklist a ON a.store_hash = s.store_hash AND a.supplier_id = s.id AND a.item = 'agreement'
 WHERE s.store_hash = :store_hash
   AND (CAST(:q AS text) = '' OR s.name ILIKE CAST(:pattern AS text) OR s.registration ILIKE CAST(:pattern AS text)
        OR c.email = lower(CAST(:q AS text)))
   AND (CAST(:scope AS text) IN ('', 'all')
        OR (CAST(:scope AS text) = 'inactive' AND s.state = 'inactive')
        OR (s.state = 'active' AND CASE CAST(:scope AS text)
              WHEN 'signed' THEN a.given_on IS NOT NULL AND COALESCE(a.expires_on, 'infinity') >= CAST(:today AS date)
              WHEN 'unsigned' THEN a.given_on IS NULL OR a.expires_on < CAST(:today AS date)
              WHEN 'hidden' THEN s.hiding <> ''
              ELSE false END))
 ORDER BY s.name, s.id LIMIT :most OFFSET :skip;

-- supplier_counts --
SELECT count(*) AS "all",
       count(*) FILTER (WHERE s.state = 'active' AND a.given_on IS NOT NULL
                          AND COALESCE(a.expires_on, 'infinity') >= CAST(:today AS date)) AS signed,
       count(*) FILTER (WHERE s.state = 'active' AND (a.given_on IS NULL OR a.expires_on < CAST(:today AS date))) AS unsigned,
       count(*) FILTER (WHERE s.state = 'active' AND s.hiding <> '') AS hidden,
       count(*) FILTER (WHERE s.state = 'inactive') AS inactive
  FROM suppliers s
  LEFT JOIN supplier_checklist a ON a.store_hash = s.store_hash AND a.supplier_id = s.id AND a.item = 'agreement'
 WHERE s.store_hash = :store_hash;

-- hiding_suppliers --
-- Suppliers that keep products hidden now, with what they cover.
SELECT s.id, s.hiding, s.hiding_on, s.invited_at,
       (SELECT COALESCE(jsonb_agg(jsonb_build_array(c.kind, c.name, c.ref)), '[]') FROM supplier_covers c
         WHERE c.store_hash = s.store_hash AND c.supplier_id = s.id AND c.ref <> 0) AS covers
  FROM suppliers s WHERE s.store_hash = :store_hash AND s.hiding <> '' AND s.state = 'active' ORDER BY s.id;

-- is_any_hiding --
SELECT EXISTS (SELECT FROM suppliers WHERE store_hash = :store_hash AND hiding <> '' AND state = 'active');

-- suppliers_left_hidden --
-- Suppliers whose products we hid and no hold shows again: deactivated ones, mostly. asked: they are being shown.
SELECT s.id, s.name, s.state, count(*) AS products,
       EXISTS (SELECT FROM actions a WHERE a.store_hash = s.store_hash AND a.record_kind = 'supplier'
                  AND a.record_id = CAST(s.id AS text) AND a.kind = 'show_products'
                  AND a.state IN ('pending', 'started')) AS asked
  FROM suppliers s
  JOIN supplier_products p ON p.store_hash = s.store_hash AND p.supplier_id = s.id AND p.state = 'hidden'
 WHERE s.store_hash = :store_hash
   AND NOT EXISTS (SELECT FROM holds h WHERE h.store_hash = s.store_hash AND h.record_kind = 'supplier'
                      AND h.record_id = CAST(s.id AS text) AND h.state IN ('holding', 'held', 'kept', 'releasing'))
 GROUP BY s.store_hash, s.id, s.name, s.state ORDER BY s.id LIMIT :most;

-- start_hiding --
UPDATE suppliers SET hiding = :hiding, hiding_on = CAST(:channels AS bigint[])
 WHERE store_hash = :store_hash AND id = :id;

-- stop_hiding --
UPDATE suppliers SET hiding = '', hiding_on = '{}' WHERE store_hash = :store_hash AND id = :id;

-- want_hidden --
-- Products that a supplier is to keep hidden; those that it knows already stay as they are.
INSERT INTO supplier_products (store_hash, supplier_id, product_id)
SELECT :store_hash, :id, p FROM unnest(CAST(:products AS bigint[])) AS p
ON CONFLICT (store_hash, supplier_id, product_id) DO NOTHING
RETURNING product_id;

-- want_hidden_again --
-- Products that somebody changed since: they are looked at once more.
UPDATE supplier_products SET state = 'wanted', version = version + 1, why = ''
 WHERE store_hash = :store_hash AND product_id = ANY(CAST(:products AS bigint[])) AND supplier_id <> :but
   AND state <> 'wanted'
   AND supplier_id IN (SELECT id FROM suppliers WHERE store_hash = :store_hash AND hiding <> '')
RETURNING supplier_id;

-- next_to_hide --
SELECT product_id, version FROM supplier_products
 WHERE store_hash = :store_hash AND supplier_id = :id AND state = 'wanted' ORDER BY product_id LIMIT :most;

-- remember_visibility --
-- Committed before a product is switched off. What was remembered first stays.
INSERT INTO product_visibility (store_hash, product_id, channel_id, hidden_at)
SELECT :store_hash, m.product_id, m.channel_id, :now
  FROM unnest(CAST(:products AS bigint[]), CAST(:channels AS bigint[])) AS m(product_id, channel_id)
ON CONFLICT (store_hash, product_id, channel_id) DO NOTHING;

-- forget_visibility --
-- The vendor refused to switch these off: nothing of ours is to be undone there.
DELETE FROM product_visibility v WHERE v.store_hash = :store_hash
   AND (v.product_id, v.channel_id) IN (SELECT m.product_id, m.channel_id FROM unnest(CAST(:products AS bigint[]), CAST(:channels AS bigint[])) AS m(product_id, channel_id));

-- mark_hidden --
-- Nothing changes for one that has to be looked at again meanwhile.
UPDATE supplier_products p SET state = m.state, why = m.why
  FROM unnest(CAST(:products AS bigint[]), CAST(:versions AS integer[]), CAST(:states AS text[]), CAST(:whys AS text[]))
       AS m(product_id, version, state, why)
 WHERE p.store_hash = :store_hash AND p.supplier_id = :id AND p.product_id = m.product_id AND p.version = m.version;

-- drop_waiting_products --
-- They were written down while its products came back.
DELETE FROM supplier_products WHERE store_hash = :store_hash AND supplier_id = :id AND state = 'wanted';

-- next_to_show --
SELECT p.product_id FROM supplier_products p
 WHERE p.store_hash = :store_hash AND p.supplier_id = :id ORDER BY p.product_id LIMIT :most;

-- kept_by_others --
-- Of these products the ones that another supplier keeps hidden, or is about to.
SELECT DISTINCT p.product_id FROM supplier_products p
  JOIN suppliers s ON s.store_hash = p.store_hash AND s.id = p.supplier_id AND s.hiding <> ''
 WHERE p.store_hash = :store_hash AND p.supplier_id <> :id AND p.product_id = ANY(CAST(:products AS bigint[]));

-- remembered_visibility --
SELECT product_id, channel_id FROM product_visibility
 WHERE store_hash = :store_hash AND product_id = ANY(CAST(:products AS bigint[]));

-- lock_product_holds --
SELECT supplier_id, product_id FROM supplier_products
 WHERE store_hash = :store_hash AND product_id = ANY(CAST(:products AS bigint[]))
 ORDER BY product_id, supplier_id FOR UPDATE;

-- drop_product_holds --
DELETE FROM supplier_products
 WHERE store_hash = :store_hash AND supplier_id = :id AND product_id = ANY(CAST(:products AS bigint[]));

-- drop_visibility --
-- What nobody keeps hidden any more is forgotten.
DELETE FROM product_visibility v
 WHERE v.store_hash = :store_hash AND v.product_id = ANY(CAST(:products AS bigint[]))
   AND NOT EXISTS (SELECT FROM supplier_products p JOIN suppliers s ON s.store_hash = p.store_hash AND s.id = p.supplier_id
                    WHERE p.store_hash = v.store_hash AND p.product_id = v.product_id AND s.hiding <> '');

-- hidden_products --
-- What suppliers keep hidden, and who of them: for finding what somebody showed again.
SELECT p.product_id, array_agg(p.supplier_id ORDER BY p.supplier_id) AS suppliers FROM supplier_products p
 WHERE p.store_hash = :store_hash AND p.state = 'hidden' AND p.product_id = ANY(CAST(:products AS bigint[]))
 GROUP BY p.product_id;

-- let_go_products --
-- Somebody showed them again: they are theirs now.
UPDATE supplier_products SET state = 'left', why = 'Somebody showed it again.'
 WHERE store_hash = :store_hash AND product_id = ANY(CAST(:products AS bigint[])) AND state = 'hidden';

-- add_supplier_import --
INSERT INTO supplier_imports (store_hash, file_name, invite, author, created_at, moved_at)
VALUES (:store_hash, :file_name, :invite, :author, :now, :now) RETURNING id;

-- add_supplier_import_lines --
INSERT INTO supplier_import_lines (store_hash, import_id, line, given, state, sentence)
SELECT :store_hash, :import_id, l.line, l.given, l.state, l.sentence
  FROM jsonb_to_recordset(CAST(:lines AS jsonb)) AS l(line integer, given jsonb, state text, sentence text);

-- fetch_supplier_import --
SELECT id, file_name, state, invite, author, created_at, moved_at FROM supplier_imports
 WHERE store_hash = :store_hash AND id = :id;

-- list_supplier_imports --
SELECT i.id, i.file_name, i.state, i.invite, i.author, i.created_at,
       count(l.line) FILTER (WHERE l.state = 'good') AS good, count(l.line) FILTER (WHERE l.state = 'bad') AS bad,
       count(l.line) FILTER (WHERE l.state = 'known') AS known, count(l.line) FILTER (WHERE l.state = 'added') AS added
  FROM supplier_imports i
  LEFT JOIN supplier_import_lines l ON l.store_hash = i.store_hash AND l.import_id = i.id
 WHERE i.store_hash = :store_hash AND i.state <> 'discarded'
 GROUP BY i.store_hash, i.id ORDER BY i.id DESC LIMIT 50;

-- supplier_import_lines --
SELECT line, given, state, sentence, refs, supplier_id, count(*) OVER () AS total FROM supplier_import_lines
 WHERE store_hash = :store_hash AND import_id = :import_id AND (CAST(:state AS text) = '' OR state = CAST(:state AS text))
 ORDER BY line LIMIT :most OFFSET :skip;

-- supplier_import_counts --
SELECT state, count(*) AS n FROM supplier_import_lines WHERE store_hash = :store_hash AND import_id = :import_id GROUP BY state;

-- known_supplier --
SELECT id FROM suppliers WHERE store_hash = :store_hash AND identity = :identity;

-- judge_supplier_line --
UPDATE supplier_import_lines SET state = :state, sentence = :sentence, refs = CAST(:refs AS jsonb), supplier_id = :supplier_id
 WHERE store_hash = :store_hash AND import_id = :import_id AND line = :line;

-- move_supplier_import --
UPDATE supplier_imports SET state = :state, moved_at = :now
 WHERE store_hash = :store_hash AND id = :id AND state = CAST(:was AS text)
RETURNING id;

-- drop_supplier_import_lines --
DELETE FROM supplier_import_lines WHERE store_hash = :store_hash AND import_id = :import_id;

-- forget_supplier_imports --
-- The cells of files name people: a week after the import ended they are gone, and so is what was given up.
UPDATE supplier_import_lines l SET given = '{}', sentence = ''
  FROM supplier_imports i
 WHERE l.store_hash = :store_hash AND i.store_hash = l.store_hash AND i.id = l.import_id
   AND i.moved_at < CAST(:before AS timestamptz) AND l.given <> '{}';

-- erase_supplier_contacts --
WITH done AS (
    DELETE FROM supplier_contacts WHERE store_hash = :store_hash AND email = :email RETURNING 1)
SELECT count(*) FROM done;

-- erase_supplier_lines --
WITH done AS (
    UPDATE supplier_import_lines SET given = '{}', sentence = ''
     WHERE store_hash = :store_hash AND CAST(given AS text) ~* CAST(:pattern AS text) RETURNING 1)
SELECT count(*) FROM done;
