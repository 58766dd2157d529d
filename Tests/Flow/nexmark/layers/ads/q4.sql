-- The average closing price of each category.

CREATE TABLE q4 (
  category BIGINT NOT NULL,
  avg_final DOUBLE,
  PRIMARY KEY (category) NOT ENFORCED
) WITH (
  'bucket' = '1'
);

INSERT INTO q4
SELECT category, AVG(CAST(final AS DOUBLE))
FROM (
  SELECT a.id, a.category, MAX(b.price) AS final
  FROM ods.auction AS a
  JOIN ods.bid AS b ON a.id = b.auction
  WHERE b.`dateTime` BETWEEN a.`dateTime` AND a.expires
  GROUP BY a.id, a.category
)
GROUP BY category;
