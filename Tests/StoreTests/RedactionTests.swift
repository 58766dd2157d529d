import Store
import XCTest

final class RedactionTests: XCTestCase {
  func test_isSecret_knowsNamesOfManyTools() {
    for name in [
      "password", "properties.ssl.keystore.key", "properties.ssl.key.pem", "http.header.Cookie",
      "http.header.X-Auth-Key", "http.header.Authorization", "http.header.X-Signature",
      "properties.sasl.jaas.config", "s3.access-key", "fs.azure.sas.token",
    ] {
      XCTAssertTrue(Redaction.isSecret(name), name)
    }
    for name in [
      "topic", "key.format", "key.fields", "primary-key", "http.header.Content-Type", "username",
      "properties.sasl.mechanism", "partition.default-name",
    ] {
      XCTAssertFalse(Redaction.isSecret(name), name)
    }
  }

  func test_clean_takesOutWhatStandsInURLsAndKeys() {
    for (text, clean) in [
      ("https://me:pw@host/x", "https://me:******@host/x"),
      ("https://TOKEN@host/x", "https://******@host/x"),
      ("jdbc:postgresql://user@host/x", "jdbc:postgresql://user@host/x"),
      ("https://h/x?a=1&sig=AbC%3D&b=2", "https://h/x?a=1&sig=******&b=2"),
      (
        "https://h/x?api_key=1&X-Amz-Signature=9f",
        "https://h/x?api_key=******&X-Amz-Signature=******"
      ),
      ("key=1 WHERE monkey=2", "key=1 WHERE monkey=2"),
      (
        "'k' = '-----BEGIN PRIVATE KEY-----MII-----END PRIVATE KEY-----'",
        "'k' = '-----BEGIN PRIVATE KEY-----******-----END PRIVATE KEY-----'"
      ),
      ("-----BEGIN RSA PRIVATE KEY-----\nMII", "-----BEGIN RSA PRIVATE KEY-----******"),
      ("'password' = '${env:PW}'", "'password' = '${env:PW}'"),
    ] {
      XCTAssertEqual(Redaction.clean(text), clean)
    }
  }
}
