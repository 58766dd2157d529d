import Columns
import Store

/// TLS and SASL in the Java client's words. Certificates and names of servers are verified whenever TLS is
/// asked for; settings of TLS without it are a mistake, not a silent plain connection.
enum KafkaSecurity {
  /// Properties that are looked at together.
  static let names: Set<String> = [
    "security.protocol", "sasl.jaas.config", "ssl.truststore.location", "ssl.truststore.type",
    "ssl.truststore.password", "ssl.keystore.location", "ssl.keystore.type",
    "ssl.keystore.password", "ssl.endpoint.identification.algorithm",
  ]

  static func translate(
    _ java: [String: String], _ out: inout [String: String], _ notices: inout [String]
  ) throws(TerraceError) {
    let protocolName = (java["security.protocol"] ?? "PLAINTEXT").trimmed.uppercased()
    guard ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"].contains(protocolName) else {
      throw wrong(
        "security.protocol", "'security.protocol' takes PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL")
    }
    let usesTLS = protocolName.hasSuffix("SSL")
    let usesSASL = protocolName.hasPrefix("SASL")
    out["security.protocol"] = protocolName.lowercased()
    for name in java.keys.sorted() {
      if name.hasPrefix("ssl."), !usesTLS {
        throw wrong(
          name, "'\(name)' is set, but 'security.protocol' asks for no TLS",
          hint: "set 'properties.security.protocol' to SSL or SASL_SSL")
      }
      if name == "sasl.jaas.config" || name == "sasl.username", !usesSASL {
        throw wrong(
          name, "'\(name)' is set, but 'security.protocol' asks for no login",
          hint: "set 'properties.security.protocol' to SASL_SSL")
      }
    }
    try mechanism(java)
    if usesTLS { try tls(java, &out, &notices) }
    // One that stands elsewhere as a whole is looked at when the table is opened.
    if let text = java["sasl.jaas.config"], !Redaction.isReference(text) { try login(text, &out) }
  }

  // MARK: TLS

  private static func tls(
    _ java: [String: String], _ out: inout [String: String], _ notices: inout [String]
  ) throws(TerraceError) {
    if let place = java["ssl.truststore.location"] {
      let type = storeType(java["ssl.truststore.type"], place)
      guard type == "PEM" else {
        throw unsupported(
          "ssl.truststore.location", "a trust store of type \(type)",
          hint:
            "export its certificates as PEM (keytool -exportcert -rfc) and name that file, with "
            + "'properties.ssl.truststore.type' = 'PEM'")
      }
      out["ssl.ca.location"] = place
    }
    if let place = java["ssl.keystore.location"] {
      switch storeType(java["ssl.keystore.type"], place) {
      case "PEM":
        out["ssl.certificate.location"] = place
        out["ssl.key.location"] = place
      case "PKCS12":
        out["ssl.keystore.location"] = place
        out["ssl.keystore.password"] = java["ssl.keystore.password"]
      case let type:
        throw unsupported(
          "ssl.keystore.location", "a key store of type \(type)",
          hint: "turn it into PKCS12 (keytool -importkeystore -deststoretype PKCS12) or PEM")
      }
    }
    let check = java["ssl.endpoint.identification.algorithm"]?.trimmed.lowercased() ?? "https"
    switch check {
    case "https": out["ssl.endpoint.identification.algorithm"] = "https"
    case "", "none":
      out["ssl.endpoint.identification.algorithm"] = "none"
      notices.append(
        "the names of Kafka's servers are not verified: ssl.endpoint.identification.algorithm is empty"
      )
    default:
      throw wrong(
        "ssl.endpoint.identification.algorithm",
        "'ssl.endpoint.identification.algorithm' takes https")
    }
    if let verify = out["enable.ssl.certificate.verification"], verify.lowercased() != "true" {
      notices.append(
        "the certificates of Kafka's servers are not verified: "
          + "enable.ssl.certificate.verification is \(verify)")
    }
  }

  private static func storeType(_ named: String?, _ place: String) -> String {
    if let named, !named.trimmed.isEmpty { return named.trimmed.uppercased() }
    let end = place.lowercased()
    if end.hasSuffix(".pem") || end.hasSuffix(".crt") || end.hasSuffix(".cer") { return "PEM" }
    if end.hasSuffix(".p12") || end.hasSuffix(".pfx") || end.hasSuffix(".pkcs12") {
      return "PKCS12"
    }
    return "JKS"
  }

  // MARK: Logins

  private static let mechanisms = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI"]

  /// - Throws: for a way to log in that nobody here can go.
  private static func mechanism(_ java: [String: String]) throws(TerraceError) {
    if let name = java.keys.filter({ $0.contains("sasl.oauthbearer.") }).min() {
      throw noTokens(name, "'\(name)'")
    }
    for name in ["sasl.mechanism", "sasl.mechanisms"] {
      guard let value = java[name]?.trimmed.uppercased() else { continue }
      if value == "OAUTHBEARER" { throw noTokens(name, "a login with OAUTHBEARER") }
      guard mechanisms.contains(value) else {
        throw wrong(name, "'\(name)' takes \(mechanisms.joined(separator: ", "))")
      }
    }
  }

  private static func noTokens(_ name: String, _ what: String) -> TerraceError {
    unsupported(
      name, what,
      hint: "the librdkafka of Debian 12 is built without OIDC and cannot fetch tokens; known are "
        + mechanisms.joined(separator: ", "))
  }

  /// `…PlainLoginModule required username="u" password="p";`
  private static func login(
    _ text: String, _ out: inout [String: String]
  ) throws(TerraceError) {
    guard let (module, values) = jaas(text) else {
      throw wrong(
        "sasl.jaas.config", "'sasl.jaas.config' is not “module required name=\"value\" …;”")
    }
    switch module.split(separator: ".").last.map(String.init) ?? module {
    case "PlainLoginModule", "ScramLoginModule":
      guard let user = values["username"], let password = values["password"] else {
        throw wrong("sasl.jaas.config", "'sasl.jaas.config' needs username and password")
      }
      out["sasl.username"] = user
      out["sasl.password"] = password
      if out["sasl.mechanisms"] == nil {
        if module.hasSuffix("ScramLoginModule") {
          throw wrong(
            "sasl.mechanism", "'sasl.mechanism' is missing: SCRAM-SHA-256 or SCRAM-SHA-512")
        }
        out["sasl.mechanisms"] = "PLAIN"
      }
    case "Krb5LoginModule":
      if let keytab = values["keyTab"] { out["sasl.kerberos.keytab"] = keytab }
      if let principal = values["principal"] { out["sasl.kerberos.principal"] = principal }
      out["sasl.mechanisms"] = out["sasl.mechanisms"] ?? "GSSAPI"
    case "OAuthBearerLoginModule":
      throw noTokens("sasl.jaas.config", "a login with OAUTHBEARER")
    default:
      throw unsupported(
        "sasl.jaas.config", "the login module \(module)",
        hint: "PlainLoginModule, ScramLoginModule and Krb5LoginModule are known")
    }
  }

  /// The module and what it is given; nil for text of another form.
  static func jaas(_ text: String) -> (module: String, values: [String: String])? {
    var words: [String] = []
    var word = ""
    var quote: Character?
    var escaped = false
    for character in text {
      if escaped {
        word.append(character)
        escaped = false
      } else if character == "\\", quote != nil {
        escaped = true
      } else if let open = quote {
        if character == open { quote = nil } else { word.append(character) }
      } else if character == "\"" || character == "'" {
        quote = character
      } else if character.isWhitespace || character == ";" {
        if !word.isEmpty { words.append(word) }
        word = ""
      } else {
        word.append(character)
      }
    }
    if quote != nil { return nil }
    if !word.isEmpty { words.append(word) }
    guard words.count >= 2, ["required", "requisite", "sufficient", "optional"].contains(words[1])
    else { return nil }
    var values: [String: String] = [:]
    for word in words.dropFirst(2) {
      guard let equals = word.firstIndex(of: "=") else { return nil }
      values[String(word[..<equals])] = String(word[word.index(after: equals)...])
    }
    return (words[0], values)
  }

  private static func wrong(
    _ name: String, _ text: String, hint: String = ""
  ) -> TerraceError {
    TerraceError(.invalid, text, hint: hint).with("option", KafkaProperties.prefix + name)
  }

  private static func unsupported(
    _ name: String, _ text: String, hint: String
  ) -> TerraceError {
    TerraceError(.unsupported, text, hint: hint).with("option", KafkaProperties.prefix + name)
  }
}
