/// An identifier as it is written, without its quotes. Identifiers are case-sensitive, as in Flink.
package struct Name: Sendable {
  package var text: String
  package var span: SourceSpan

  package init(_ text: String, _ span: SourceSpan) {
    self.text = text
    self.span = span
  }
}

/// `[[catalog.]database.]name`, or a column with its qualifiers.
package struct NamePath: Sendable {
  package var parts: [Name]

  package init(_ parts: [Name]) { self.parts = parts }

  package var texts: [String] { parts.map(\.text) }
  package var last: Name { parts[parts.count - 1] }
  package var span: SourceSpan { parts[0].span.to(last.span) }
  /// For messages: parts joined by dots, without quotes.
  package var text: String { texts.joined(separator: ".") }
}

/// `'key' = 'value'`
package struct OptionSyntax: Sendable {
  package var key: String
  package var value: String
  package var keySpan: SourceSpan
  package var valueSpan: SourceSpan

  package init(key: String, value: String, keySpan: SourceSpan, valueSpan: SourceSpan) {
    self.key = key
    self.value = value
    self.keySpan = keySpan
    self.valueSpan = valueSpan
  }
}

/// `/*+ NAME('key'='value', …) */` or `/*+ NAME(a, b) */`
package struct HintSyntax: Sendable {
  package var name: Name
  /// Arguments with a key.
  package var options: [OptionSyntax]
  /// Arguments without one.
  package var arguments: [Name]
}
