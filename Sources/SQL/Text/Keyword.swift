/// Words with a meaning in the grammar. Most may still name a column or a table: see ``isReserved``.
enum Keyword: String, CaseIterable, Sendable {
  // Statements
  case select, insert, into, overwrite, values, create, alter, drop, table, view, database, catalog
  case function, materialized, temporary, system, `if`, not, exists, replace, execute, statement
  case set, begin, end, reset, show, describe, desc, explain, use, call, delete, update, truncate
  case tables, views, databases, catalogs, functions, partitions, columns, current, jobs, modules
  case model, models, connection, procedures, analyze, compile, plan, `for`, merge, upsert, load,
    unload
  case module, add, jar, remove, describes, user, job, stop, indexes, branch, tag, savepoint, drain
  case status
  // Table definitions
  case comment, partitioned, with, like, including, excluding, overwriting, all, constraints
  case generated, metadata, options, watermarks, distribution, primary, key, enforced, constraint
  case unique, watermark, virtual, from, `as`, `default`, distributed, by, hash, range, buckets
  case freshness, refresh_mode, refresh, start_mode, continuous, full, suspend, resume, modify
  case rename, to, column, first, after, partition, cascade, restrict, conflict, `do`, nothing,
    error
  case deduplicate, compute, statistics, references, check
  // Queries
  case distinct, `where`, group, having, window, qualify, order, limit, offset, fetch, next, row,
    rows
  case only, union, intersect, except, minus, join, inner, left, right, outer, cross, natural, on
  case using, lateral, recursive, grouping, sets, rollup, cube, asc, nulls, last, ordinality, unnest
  case system_time, of, version, timestamp, tablesample, pivot, unpivot, match_recognize
  case over, preceding, following, unbounded, filter, within, ignore, respect, descriptor, ties,
    percent
  // Expressions
  case and, or, `is`, null, `true`, `false`, unknown, between, symmetric, asymmetric, escape,
    similar
  case `in`, any, some, `case`, when, then, `else`, cast, try_cast, interval, array, map, multiset
  case extract, substring, trim, both, leading, trailing, position, overlay, placing, floor, ceil
  case ceiling, timestampadd, timestampdiff, date, time, json, object, scalar, value, absent,
    returning
  case empty, wrapper, without, conditional, unconditional, passing, current_date
  case current_time, current_timestamp, localtime, localtimestamp
  // Units
  case year, years, quarter, quarters, month, months, week, weeks, day, days, hour, hours, minute
  case minutes, second, seconds, millisecond, microsecond, nanosecond, epoch, decade, century
  case millennium, doy, dow, isodow, isoyear
  // Types
  case boolean, tinyint, smallint, int, integer, bigint, float, double, precision, decimal, dec,
    numeric
  case char, character, varying, varchar, string, binary, varbinary, bytes, timestamp_ltz, local,
    zone
  case raw, variant, bitmap

  private static let byText: [String: Keyword] = Dictionary(
    uniqueKeysWithValues: allCases.map { ($0.rawValue, $0) })

  /// The longest keyword; longer words need not be looked up.
  static let lengthMax = 18

  /// - Parameter word: in lower case.
  init?(word: String) {
    guard let found = Keyword.byText[word] else { return nil }
    self = found
  }

  var text: String { rawValue.uppercased() }

  /// Reserved words name nothing unless quoted. Flink reserves many more; what it reserves without
  /// need is let through here.
  var isReserved: Bool { Keyword.reserved.contains(self) }

  private static let reserved: Set<Keyword> = [
    .select, .insert, .into, .values, .create, .alter, .drop, .table, .not, .exists, .set, .from,
    .where, .group, .having, .window, .qualify, .order, .limit, .offset, .fetch, .union, .intersect,
    .except, .minus, .join, .inner, .left, .right, .full, .outer, .cross, .natural, .on, .using,
    .lateral, .by, .as, .and, .or, .is, .null, .true, .false, .unknown, .between, .in, .case, .when,
    .then, .else, .end, .cast, .interval, .distinct, .all, .with, .over, .like, .similar, .escape,
    .for, .to, .partition, .primary, .constraint, .unnest, .grouping, .tablesample, .merge, .any,
    .some, .of, .row, .rows, .both, .leading, .trailing, .symmetric, .asymmetric, .delete, .update,
    .default, .array, .extract, .match_recognize, .pivot, .unpivot,
  ]
}
