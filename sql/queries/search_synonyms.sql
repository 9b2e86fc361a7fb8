-- Words that mean the same to a search. V0171__synonyms.sql says how they are kept.

-- name: take_turn
-- Other changes of the list wait until the transaction ends.
SELECT pg_advisory_xact_lock(hashtext('marketplace.search_synonyms'));

-- name: version
SELECT l.version
FROM search_lists AS l
WHERE l.name = 'synonyms';

-- name: groups
SELECT array_agg(s.word ORDER BY s.position, s.word) AS words
FROM search_synonyms AS s
GROUP BY s.group_id
ORDER BY s.group_id;

-- name: fold
SELECT search_spaced(search_fold(t.word)) AS word
FROM unnest(%(words)s::text[]) WITH ORDINALITY AS t (word, place)
ORDER BY t.place;

-- name: remove
-- Words that are no longer in the list, or stand elsewhere.
DELETE FROM search_synonyms AS s
WHERE NOT EXISTS (
    SELECT
    FROM unnest(%(words)s::text[], %(group_ids)s::integer[], %(positions)s::integer[]) AS t (word, group_id, position)
    WHERE t.word = s.word AND t.group_id = s.group_id AND t.position = s.position
);

-- name: add
-- Words that are not there yet.
INSERT INTO search_synonyms (word, group_id, position)
SELECT t.word, t.group_id, t.position
FROM unnest(%(words)s::text[], %(group_ids)s::integer[], %(positions)s::integer[]) AS t (word, group_id, position)
WHERE NOT EXISTS (SELECT FROM search_synonyms AS s WHERE s.word = t.word)
ORDER BY t.group_id, t.position;
