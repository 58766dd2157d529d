-- One row a business day: what the board looks at in the morning.
-- Sales come from the shops' side, customers from the other; at a tag both sides stand at the same cut.

CREATE MATERIALIZED TABLE daily_totals (
  PRIMARY KEY (order_date) NOT ENFORCED
)
COMMENT 'sales and customers of each business day'
WITH (
  'bucket' = '1',
  'tag.num-retained-max' = '90',
  'metastore.tag-to-partition' = 'dt'
)
FRESHNESS = INTERVAL '1' SECOND
REFRESH_MODE = CONTINUOUS
AS
WITH sales AS (
  SELECT
    order_date,
    COUNT(*) AS shops,
    SUM(orders) AS orders,
    SUM(cancelled) AS cancelled,
    SUM(amount) AS amount,
    SUM(paid) AS paid
  FROM dws.shop_daily
  GROUP BY order_date
),
customers AS (
  SELECT
    order_date,
    COUNT(*) AS customers,
    COUNT(*) FILTER (WHERE orders > 1) AS returning_customers
  FROM dws.user_daily
  GROUP BY order_date
)
SELECT
  s.order_date,
  s.shops,
  c.customers,
  c.returning_customers,
  s.orders,
  s.cancelled,
  s.amount,
  s.paid,
  CAST(s.amount / s.orders AS DECIMAL(12, 2)) AS average_order
FROM sales AS s
JOIN customers AS c ON c.order_date = s.order_date;
