-- The ten best shops of each business day.

CREATE MATERIALIZED TABLE top_shops (
  PRIMARY KEY (order_date, place) NOT ENFORCED
)
COMMENT 'the ten shops with the highest sales of each business day'
WITH (
  'bucket' = '1',
  'tag.num-retained-max' = '90',
  'metastore.tag-to-partition' = 'dt'
)
FRESHNESS = INTERVAL '1' SECOND
REFRESH_MODE = CONTINUOUS
AS SELECT order_date, place, shop_id, shop_name, amount, orders
FROM (
  SELECT
    order_date, shop_id, shop_name, amount, orders,
    ROW_NUMBER() OVER (PARTITION BY order_date ORDER BY amount DESC, shop_id) AS place
  FROM dws.shop_daily
)
WHERE place <= 10;
