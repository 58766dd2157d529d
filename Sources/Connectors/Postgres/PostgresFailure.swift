import Columns

/// Errors of a PostgreSQL server as errors of ours: what may pass, and what the user must change.
enum PostgresFailure {
  /// - Parameters:
  ///   - state: SQLSTATE; nil when the connection broke.
  ///   - connection: what libpq says of the connection.
  static func of(
    state: String?, message: String?, detail: String?, hint: String?, connection: String,
    _ settings: PostgresConnection.Settings
  ) -> TerraceError {
    guard let state, let message else {
      return TerraceError(.unavailable, "the connection to PostgreSQL broke: \(clean(connection))")
        .with("server", settings.place)
    }
    var error = TerraceError(
      kind(state, message), "PostgreSQL: \(message)" + (detail.map { ". \($0)" } ?? ""),
      hint: advice(state, message) ?? hint ?? "")
    error = error.with("server", settings.place).with("sqlstate", state)
    return error
  }

  private static func kind(_ state: String, _ message: String) -> TerraceError.Kind {
    switch state {
    case "55006", "55P03": return .unavailable
    case "42P01", "42704", "3D000", "3F000": return .notFound
    case "0A000": return .unsupported
    // "the slot … cannot be used": its log is gone.
    case "55000": return .invalid
    default: break
    }
    switch state.prefix(2) {
    case "08", "40", "53", "57", "58", "XX": return .unavailable
    default: return .invalid
    }
  }

  private static func advice(_ state: String, _ message: String) -> String? {
    if message.contains("wal_level") || message.contains("logical decoding requires") {
      return "set wal_level = logical in postgresql.conf and restart the server"
    }
    if message.contains("all replication slots are in use") {
      return "raise max_replication_slots, or drop slots that nobody reads"
    }
    if message.contains("max_wal_senders") || message.contains("number of requested standby") {
      return "raise max_wal_senders"
    }
    if message.contains("must be superuser or replication role") {
      return "ALTER ROLE … REPLICATION, or another 'username'"
    }
    if state == "42704", message.contains("publication") {
      return "make it again, drop the slot (SELECT pg_drop_replication_slot('…')), and "
        + "“terrace run --rebuild TABLE” reads the tables anew: the log cannot be read without it"
    }
    if state == "55006" { return "another process reads this slot: give each its own 'slot.name'" }
    if state == "42501" {
      return "the user needs REPLICATION, SELECT on the tables, and for the publication to be "
        + "their owner; or create the publication yourself and name it: 'publication.name'"
    }
    return nil
  }

  /// Why no connection came about; libpq gives no codes here.
  static func connecting(
    _ text: String, _ settings: PostgresConnection.Settings
  ) -> TerraceError {
    let message = clean(text)
    let mistakes = [
      ("authentication failed", "look at 'username' and 'password'"),
      ("no password supplied", "set 'password'"),
      ("no pg_hba.conf entry", "the server's pg_hba.conf must let this user and host in"),
      ("does not exist", "look at 'database-name' and 'username'"),
      ("is not permitted to log in", "ALTER ROLE … LOGIN"),
      ("must be superuser or replication role", "ALTER ROLE … REPLICATION"),
      ("server does not support SSL", "TLS was asked for: set up the server, or drop 'sslmode'"),
      ("certificate", "set 'sslrootcert' to the file of the authority that signed the server's"),
      ("invalid sslmode", "disable, require, verify-ca or verify-full"),
      ("could not translate host name", "look at 'hostname'"),
    ]
    for (word, hint) in mistakes where message.contains(word) {
      // A name may resolve again when the network is back.
      let kind: TerraceError.Kind = word.contains("translate") ? .unavailable : .invalid
      return TerraceError(kind, "no connection to PostgreSQL: \(message)", hint: hint)
        .with("server", settings.place)
    }
    return TerraceError(.unavailable, "no connection to PostgreSQL: \(message)")
      .with("server", settings.place)
  }

  private static func clean(_ text: String) -> String {
    text.split(separator: "\n").map { line in
      String(line.drop { $0 == " " || $0 == "\t" })
    }.joined(separator: " ")
  }
}
