-- Who sells in three states.

CREATE TABLE q3 (
  `name` STRING,
  city STRING,
  `state` STRING,
  id BIGINT
) WITH (
  'bucket' = '-1'
);

INSERT INTO q3
SELECT p.`name`, p.city, p.`state`, a.id
FROM ods.auction AS a
JOIN ods.person AS p ON a.seller = p.id
WHERE a.category = 10 AND p.`state` IN ('OR', 'ID', 'CA');
