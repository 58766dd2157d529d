-- What each customer ordered on each business day.

CREATE MATERIALIZED TABLE user_daily (
  PRIMARY KEY (order_date, user_id) NOT ENFORCED
)
COMMENT 'orders per customer and business day'
WITH (
  'bucket' = '1',
  'tag.num-retained-max' = '90',
  'metastore.tag-to-partition' = 'dt'
)
FRESHNESS = INTERVAL '1' SECOND
REFRESH_MODE = CONTINUOUS
AS SELECT
  order_date,
  user_id,
  COUNT(*) AS orders,
  COUNT(DISTINCT shop_id) AS shops,
  COALESCE(SUM(amount) FILTER (WHERE status <> 'cancelled'), 0.00) AS amount,
  SUM(paid) AS paid,
  MIN(created_at) AS first_order_at
FROM dwd.orders_wide
GROUP BY order_date, user_id;
