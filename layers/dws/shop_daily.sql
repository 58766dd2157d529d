-- What each shop sold on each business day.

CREATE MATERIALIZED TABLE shop_daily (
  PRIMARY KEY (order_date, shop_id) NOT ENFORCED
)
COMMENT 'sales per shop and business day'
WITH (
  'bucket' = '1',
  'tag.num-retained-max' = '90',
  'metastore.tag-to-partition' = 'dt'
)
FRESHNESS = INTERVAL '1' SECOND
REFRESH_MODE = CONTINUOUS
AS SELECT
  order_date,
  shop_id,
  MAX(shop_name) AS shop_name,
  COUNT(*) AS orders,
  COUNT(*) FILTER (WHERE status = 'cancelled') AS cancelled,
  SUM(quantity) AS quantity,
  COALESCE(SUM(amount) FILTER (WHERE status <> 'cancelled'), 0.00) AS amount,
  SUM(paid) AS paid
FROM dwd.orders_wide
GROUP BY order_date, shop_id;
