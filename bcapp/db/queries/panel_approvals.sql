-- What waits for one person of the directory, and what they decided. Never a signing link: only the mail has that.

-- approvals_waiting --
-- Signatures that are asked of a person, by the entry in the directory or by the address. is_turn: nobody comes first.
SELECT q.id, q.record_kind, q.record_id, q.purpose, q.status, q.simulated, q.bounced, q.sent_at, q.expires_at,
       g.position, g.role, g.state, g.state_at, r.label, r.amount, r.currency, ru.name AS rule_name,
       NOT EXISTS (SELECT FROM signers o WHERE o.store_hash = g.store_hash AND o.request_id = g.request_id
                      AND o.turn < g.turn AND o.role <> 'copy' AND o.state <> 'signed') AS is_turn
  FROM signers g
  JOIN requests q ON q.store_hash = g.store_hash AND q.id = g.request_id
  JOIN records r ON r.store_hash = q.store_hash AND r.kind = q.record_kind AND r.id = q.record_id
  LEFT JOIN rules ru ON ru.store_hash = q.store_hash AND ru.id = q.rule_id
 WHERE g.store_hash = :store_hash AND g.role <> 'copy' AND g.state NOT IN ('signed', 'declined', 'forwarded')
   AND (g.person_id = :person_id OR g.email = :email)
   AND q.wanted = 'open' AND q.status IN ('sent', 'viewed', 'partly_signed')
 ORDER BY is_turn DESC, q.expires_at NULLS LAST, q.id
 LIMIT :most;

-- approvals_decided --
-- The latest that a person signed or declined.
SELECT q.id, q.record_kind, q.record_id, q.purpose, q.status, q.simulated, g.state, g.state_at, r.label, r.amount,
       r.currency, ru.name AS rule_name
  FROM signers g
  JOIN requests q ON q.store_hash = g.store_hash AND q.id = g.request_id
  JOIN records r ON r.store_hash = q.store_hash AND r.kind = q.record_kind AND r.id = q.record_id
  LEFT JOIN rules ru ON ru.store_hash = q.store_hash AND ru.id = q.rule_id
 WHERE g.store_hash = :store_hash AND g.role <> 'copy' AND g.state IN ('signed', 'declined')
   AND (g.person_id = :person_id OR g.email = :email)
 ORDER BY g.state_at DESC NULLS LAST, q.id DESC
 LIMIT :most;
