"""Random queries: joins, grouping, windows, sub-queries, set operations."""
from dialects import SQL_TYPES, DUCK_TYPES, Text, form, joined, literal
from generator import COLUMNS, KINDS, Block, Generator, Source


def nulls(descending):
    """Flink takes NULL for the smallest value, DuckDB puts it last."""
    return "DESC NULLS LAST" if descending else "ASC NULLS FIRST"


class Queries(Generator):
    def order_item(self, value):
        descending = self.chance(2)
        if self.chance(3):
            where = self.pick("FIRST", "LAST")
            return form("{} {} NULLS {}", value, "DESC" if descending else "ASC", where)
        return form("{} {}", value, Text("DESC" if descending else self.pick("ASC", ""), nulls(descending)))

    # FROM

    def table(self, depth):
        alias = self.name("x")
        if self.common and self.chance(3):
            name, kinds = self.random.choice(self.common)
            return form("{} AS {}", name, alias), Source(alias, [(f"c{i}", k) for i, k in enumerate(kinds)])
        if depth > 0 and self.chance(4):
            block = self.block(depth - 1, [self.random.choice(KINDS[:4]) for _ in range(self.random.randrange(1, 4))] + ["int"])
            return form("({}) AS {}", block.text, alias), Source(alias, [(f"c{i}", k) for i, k in enumerate(block.kinds)])
        if self.chance(12):
            kinds = [self.random.choice(KINDS[:3]) for _ in range(2)]
            rows = joined(", ", [form("({})", joined(", ", [literal(self.value(k), k) for k in kinds])) for _ in range(3)])
            return form("(VALUES {}) AS {}(c0, c1)", rows, alias), Source(alias, [("c0", kinds[0]), ("c1", kinds[1])])
        return form("t{} AS {}", self.random.choice([*range(self.table_count - 1)] * 4 + [self.table_count - 1]), alias), Source(alias, COLUMNS)

    def sources(self, depth):
        text, first = self.table(depth)
        scope = [first]
        for _ in range(self.pick(0, 0, 1, 1, 2)):
            kind = self.pick("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN", ",", "LEFT JOIN", "LATERAL")
            if kind == "LATERAL":
                alias = self.name("x")
                block = self.block(0, ["int", "str"], scope)
                text = form(self.pick("{} CROSS JOIN LATERAL ({}) AS {}", "{} LEFT JOIN LATERAL ({}) AS {} ON TRUE"), text, block.text, alias)
                scope = scope + [Source(alias, [("c0", "int"), ("c1", "str")])]
                continue
            other, source = self.table(depth)
            if kind in (",", "CROSS JOIN"):
                if kind == ",": kind = "CROSS JOIN"
                text = form("{} {} {}", text, kind, other)
            else:
                condition = self.equality(scope, [source])
                # DuckDB takes FULL JOIN on anything but equalities for an error in places.
                if self.chance(3): condition = form("{} AND {}", condition, self.expression("bool", scope + [source], 1))
                text = form("{} {} {} ON {}", text, kind, other, condition)
            scope = scope + [source]
        return text, scope

    def equality(self, left, right):
        for _ in range(20):
            kind = self.random.choice(["int", "int", "str", "date", "dec"])
            a, b = self.column(kind, left), self.column(kind, right)
            if a and b: return form("{} {} {}", a, self.pick("=", "=", "=", "IS NOT DISTINCT FROM"), b)
        return Text("TRUE")

    # Conditions with sub-queries

    def condition(self, scope, depth, outer=()):
        if depth > 0 and self.chance(3):
            match self.random.randrange(5):
                case 0: return form("{}EXISTS ({})", self.pick("", "NOT "), self.block(depth - 1, ["int"], scope).text)
                case 1:
                    kind = self.random.choice(KINDS[:4])
                    return form("{} {}IN ({})", self.expression(kind, scope, 1, outer), self.pick("", "NOT "),
                                self.block(depth - 1, [kind], scope if self.chance(2) else ()).text)
                case 2:
                    kind = self.random.choice(KINDS[:4])
                    return form("{} {} ({})", self.expression(kind, scope, 1, outer), self.pick("=", "<", ">=", "<>"),
                                self.scalar(kind, depth - 1, scope))
                case 3: return form("({} OR {})", self.condition(scope, depth - 1, outer), self.condition(scope, depth - 1, outer))
                case _: return form("({} AND {})", self.condition(scope, depth - 1, outer), self.condition(scope, depth - 1, outer))
        return self.expression("bool", scope, 2, outer)

    def scalar(self, kind, depth, outer=()):
        """A query of one row at most."""
        text, scope = self.sources(0)
        where = self.where(scope, depth, outer)
        if self.chance(2):
            return form("SELECT {} FROM {}{}", self.aggregate(kind, scope, outer), text, where)
        order = joined(", ", [self.order_item(v) for v in self.all_columns(scope)])
        return form("SELECT {} FROM {}{} ORDER BY {} LIMIT 1", self.expression(kind, scope, 1, outer), text, where, order)

    def all_columns(self, scope):
        return [Text(f"{s.alias}.{n}") for s in scope for n, _ in s.columns]

    def where(self, scope, depth, outer=()):
        if outer and not self.chance(5):
            tie = self.equality(scope, list(outer))
            if self.chance(3): tie = self.expression("bool", scope, 2, outer)
            return form(" WHERE {}", tie) if self.chance(2) else form(" WHERE {} AND {}", tie, self.condition(scope, depth, outer))
        return form(" WHERE {}", self.condition(scope, depth, outer)) if self.chance(2) else Text("")

    # Aggregates

    def aggregate(self, kind, scope, outer=()):
        # An aggregate of columns of the query around alone would belong to that query in DuckDB.
        def e(k, d=1): return self.expression(k, scope, d)
        distinct = self.pick("", "", "DISTINCT ")
        choices = [lambda: form("{}({})", self.pick("MIN", "MAX"), e(kind))]
        if kind == "bool": return form("(COUNT({}) > {})", e("int"), Text(str(self.random.randrange(4))))
        if kind == "int":
            choices += [lambda: Text("COUNT(*)"), lambda: form("COUNT({}{})", distinct, e(self.random.choice(KINDS))),
                        lambda: form("SUM({}{})", distinct, e("int")), lambda: form("AVG({} + 0)", e("int"), duck="trunc(avg({}) FILTER_HERE)")]
        if kind == "dec": choices += [lambda: form("SUM({}{})", distinct, e("dec"))]
        if kind == "dbl": choices += [lambda: form("AVG({})", e("dbl")), lambda: form("STDDEV_POP({})", e("dbl")), lambda: form("VAR_SAMP({})", e("dbl"))]
        made = self.random.choice(choices)()
        condition = form(" FILTER (WHERE {})", e("bool")) if self.chance(5) else Text("")
        if "FILTER_HERE" in made.duck:
            return Text(made.flink + condition.flink, f"CAST({made.duck.replace(' FILTER_HERE', condition.duck)} AS BIGINT)")
        return form("{}{}", made, condition)

    def window(self, kind, scope):
        def e(k): return self.expression(k, scope, 1)
        partition = form("PARTITION BY {} ", joined(", ", [e(self.random.choice(KINDS[:5])) for _ in range(self.pick(1, 1, 2))])) if not self.chance(3) else Text("")
        total = joined(", ", [self.order_item(v) for v in self.all_columns(scope)])
        some = self.order_item(e(self.random.choice(KINDS[:5])))
        frame = self.pick("", "ROWS BETWEEN 2 PRECEDING AND CURRENT ROW", "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING", "ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
                          "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING", "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW")
        if kind == "int":
            return self.random.choice([
                lambda: form("ROW_NUMBER() OVER ({}ORDER BY {})", partition, total), lambda: form("{}() OVER ({}ORDER BY {})", self.pick("RANK", "DENSE_RANK"), partition, some),
                lambda: form("NTILE(3) OVER ({}ORDER BY {})", partition, total), lambda: form("COUNT({}) OVER ({})", e("str"), partition),
                lambda: form("{}({}, {}) OVER ({}ORDER BY {})", self.pick("LAG", "LEAD"), e("int"), Text(str(self.random.randrange(3))), partition, total),
                lambda: form("LAG({}, 1, {}) OVER ({}ORDER BY {})", e("int"), literal(self.value("int"), "int"), partition, total,
                             duck="COALESCE(LAG({0}, 1) OVER ({2}ORDER BY {3}), {1})"),
                lambda: form("SUM({}) OVER ({}ORDER BY {} {})", e("int"), partition, total, frame),
                lambda: form("SUM({}) OVER ({}ORDER BY {})", e("int"), partition, some), lambda: form("COUNT(*) OVER ({}ORDER BY {} {})", partition, total, frame)])()
        if kind == "bool": return form("(COUNT(*) OVER ({}) > 1)", partition)
        return form("{}({}) OVER ({}ORDER BY {} {})", self.pick("MIN", "MAX"), e(kind), partition, total, frame)

    # Queries

    def block(self, depth, kinds, outer=()):
        """A query with columns c0, c1, … of these kinds, without an order."""
        if depth > 0 and self.chance(6):
            operator = self.pick("UNION ALL", "UNION", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL")
            return Block(form("({}) {} ({})", self.block(depth - 1, kinds, outer).text, operator, self.block(depth - 1, kinds, outer).text), kinds)
        text, scope = self.sources(depth)
        where = self.where(scope, depth, outer)
        def items(values): return joined(", ", [form("{} AS c{}", v, i) for i, v in enumerate(values)])
        shape = self.random.randrange(8)
        if shape == 0:
            return Block(form("SELECT {} FROM {}{}{}", items([self.aggregate(k, scope, outer) for k in kinds]), text, where,
                              form(" HAVING {}", self.aggregate("bool", scope)) if self.chance(4) else Text("")), kinds)
        if shape in (1, 2): return self.grouped(text, scope, where, kinds, items, outer)
        if shape == 3 and not outer:
            # Among rows that are equal in all columns any may pass QUALIFY: then nothing else may tell them apart.
            qualify = form(" QUALIFY {} <= 2", self.window("int", scope)) if self.chance(4) else Text("")
            windowed = not qualify.flink
            values = [self.window(k, scope) if windowed and self.chance(2) else self.expression(k, scope, 1) for k in kinds]
            return Block(form("SELECT {} FROM {}{}{}", items(values), text, where, qualify), kinds)
        values = [form("({})", self.scalar(k, depth - 1, scope)) if depth > 0 and self.chance(7) else self.expression(k, scope, 2, outer) for k in kinds]
        cut = Text("")
        if self.chance(10):
            order = joined(", ", [self.order_item(v) for v in self.all_columns(scope)])
            return Block(form("SELECT {} FROM {}{} ORDER BY {} LIMIT {}", items(values), text, where, order, self.random.randrange(4)), kinds)
        return Block(form("SELECT {}{} FROM {}{}{}", self.pick("", "", "", "DISTINCT "), items(values), text, where, cut), kinds)

    def grouped(self, text, scope, where, kinds, items, outer):
        keys = [self.column(k, scope) or literal(self.value(k), k) for k in self.random.sample(KINDS[:5], self.pick(1, 1, 2))]
        keys = [k for k in keys if not k.flink.startswith(("CAST(NULL", "'", "DATE '", "TIMESTAMP '")) and "." in k.flink and "(" not in k.flink] or [Text(f"{scope[0].alias}.{scope[0].columns[0][0]}")]
        kind_of = {f"{s.alias}.{n}": k for s in scope for n, k in s.columns}
        values = []
        for k in kinds:
            same = [key for key in keys if kind_of.get(key.flink) == k]
            values.append(self.random.choice(same) if same and self.chance(2) else self.aggregate(k, scope, outer))
        by = joined(", ", keys)
        if self.chance(4):
            form_of = self.pick("ROLLUP ({})", "CUBE ({})", "GROUPING SETS (({0}), ({1}), ())")
            # On no rows DuckDB gives a total and Flink does not.
            text_of = form(form_of, by, keys[0])
            having = form(" HAVING COUNT(*) > 0")
        else:
            text_of, having = by, (form(" HAVING {}", self.aggregate("bool", scope)) if self.chance(4) else Text(""))
        return Block(form("SELECT {} FROM {}{} GROUP BY {}{}", items(values), text, where, text_of, having), kinds)

    def query(self):
        """A whole statement, with WITH and ORDER BY."""
        self.common = []
        head = Text("")
        if self.chance(5):
            name, kinds = self.name("w"), [self.random.choice(KINDS) for _ in range(2)] + ["int"]
            head = form("WITH {} AS ({}) ", name, self.block(1, kinds).text)
            self.common = [(name, kinds)]
        kinds = [self.random.choice(KINDS) for _ in range(self.random.randrange(1, 5))]
        block = self.block(2, kinds)
        if self.chance(3):
            order = joined(", ", [self.order_item(Text(self.pick(f"c{i}", str(i + 1)))) for i in range(len(kinds))])
            offset = Text(self.pick("", "", " LIMIT 3", " LIMIT 4 OFFSET 2", " OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY"))
            return Block(form("{}SELECT * FROM ({}) AS q ORDER BY {}{}", head, block.text, order, offset), kinds, True)
        return Block(form("{}{}", head, block.text), kinds)
