-- People who sell within ten seconds of signing up.

CREATE TABLE q8 (
  id BIGINT,
  `name` STRING,
  ws BIGINT
) WITH (
  'bucket' = '-1'
);

INSERT INTO q8
SELECT p.id, p.`name`, CAST(TIMESTAMPDIFF(SECOND, TIMESTAMP '1970-01-01 00:00:00', p.window_start) AS BIGINT) * 1000
FROM (
  SELECT id, `name`, window_start, window_end
  FROM TABLE(TUMBLE(TABLE ods.person, DESCRIPTOR(ts), INTERVAL '10' SECOND))
  GROUP BY id, `name`, window_start, window_end
) AS p
JOIN (
  SELECT seller, window_start, window_end
  FROM TABLE(TUMBLE(TABLE ods.auction, DESCRIPTOR(ts), INTERVAL '10' SECOND))
  GROUP BY seller, window_start, window_end
) AS a ON p.id = a.seller AND p.window_start = a.window_start AND p.window_end = a.window_end;
