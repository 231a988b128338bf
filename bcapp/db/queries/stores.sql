-- fetch_store --
-- A store without its secrets, with its channels.
SELECT st.store_hash, st.installation, st.state, st.state_since, st.owner_id, st.scope, st.profile, st.settings,
       st.settings_version, st.installed_at, st.first_load_at,
       ARRAY(SELECT c.id FROM channels c WHERE c.store_hash = st.store_hash ORDER BY c.id) AS channels
  FROM stores st WHERE st.store_hash = :store_hash;
