import Columns
import Store
import XCTest

@testable import Connectors

final class KafkaPropertiesTests: XCTestCase {
  private func properties(_ java: [String: String]) throws -> KafkaProperties {
    var options = ["connector": "kafka", "properties.bootstrap.servers": "a:1,b:2"]
    for (name, value) in java { options["properties." + name] = value }
    var taken = ConnectorOptions(
      ConnectorTable(
        name: "t", type: RowType([("id", .bigint)]), options: options, folder: "/"))
    let properties = try KafkaProperties(&taken)
    try taken.finish()
    return properties
  }

  private func settings(_ java: [String: String]) throws -> [String: String] {
    Dictionary(uniqueKeysWithValues: try properties(java).settings.map { ($0.name, $0.value) })
  }

  private func refusal(_ java: [String: String]) -> TerraceError? {
    do {
      _ = try properties(java)
      return nil
    } catch { return error as? TerraceError }
  }

  func test_names_areTranslatedOrPassedThrough() throws {
    let found = try settings([
      "acks": "1", "retries": "3", "batch.size": "16384", "linger.ms": "30",
      "buffer.memory": "33554432", "group.id": "g1", "fetch.max.wait.ms": "250",
      "max.request.size": "2000000", "socket.keepalive.enable": "true",
      "value.deserializer": "org.apache.kafka.common.serialization.StringDeserializer",
    ])
    XCTAssertEqual(found["acks"], "1")
    XCTAssertEqual(found["retries"], "3")
    XCTAssertEqual(found["batch.size"], "16384")
    XCTAssertEqual(found["queue.buffering.max.kbytes"], "32768")
    XCTAssertEqual(found["fetch.wait.max.ms"], "250")
    XCTAssertEqual(found["message.max.bytes"], "2000000")
    XCTAssertEqual(found["socket.keepalive.enable"], "true")
    XCTAssertNil(found["value.deserializer"])
    XCTAssertEqual(found["bootstrap.servers"], "a:1,b:2")
    XCTAssertEqual(found["security.protocol"], "plaintext")
  }

  func test_maxPollRecords_isACapAndNoSetting() throws {
    let found = try properties(["max.poll.records": "5000", "auto.offset.reset": "Latest"])
    XCTAssertEqual(found.maxPollRecords, 5000)
    XCTAssertEqual(found.reset, "latest")
    XCTAssertFalse(found.settings.contains { $0.name == "max.poll.records" })
    XCTAssertEqual(refusal(["max.poll.records": "0"])?.kind, .invalid)
    XCTAssertEqual(refusal(["max.poll.records": "-3"])?.kind, .invalid)
    XCTAssertEqual(refusal(["auto.offset.reset": "maybe"])?.kind, .invalid)
  }

  func test_servers_mustBeNamed() {
    var options = ConnectorOptions(
      ConnectorTable(
        name: "t", type: RowType([("id", .bigint)]), options: ["connector": "kafka"], folder: "/"))
    XCTAssertThrowsError(try KafkaProperties(&options)) {
      XCTAssertTrue("\($0)".contains("properties.bootstrap.servers"), "\($0)")
    }
  }

  func test_tls_isVerifiedAndNeverDropped() throws {
    let found = try settings([
      "security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512",
      "ssl.truststore.location": "/ca.pem",
      "sasl.jaas.config":
        "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"u\" password=\"p;\\\"q\";",
    ])
    XCTAssertEqual(found["security.protocol"], "sasl_ssl")
    XCTAssertEqual(found["ssl.ca.location"], "/ca.pem")
    XCTAssertEqual(found["ssl.endpoint.identification.algorithm"], "https")
    XCTAssertEqual(found["sasl.username"], "u")
    XCTAssertEqual(found["sasl.password"], "p;\"q")
    XCTAssertEqual(found["sasl.mechanisms"], "SCRAM-SHA-512")
    XCTAssertEqual(refusal(["ssl.truststore.location": "/ca.pem"])?.kind, .invalid)
    XCTAssertEqual(refusal(["sasl.jaas.config": "x required a=b;"])?.kind, .invalid)
    XCTAssertEqual(refusal(["security.protocol": "TLS"])?.kind, .invalid)
    let store = refusal(["security.protocol": "SSL", "ssl.truststore.location": "/trust.jks"])
    XCTAssertEqual(store?.kind, .unsupported)
    XCTAssertTrue(store?.hint.contains("PEM") ?? false)
    let open = try properties([
      "security.protocol": "SSL", "ssl.endpoint.identification.algorithm": "",
    ])
    XCTAssertEqual(open.notices.count, 1)
  }

  func test_logins_thatNobodyCanDoAreRefused() throws {
    for java in [
      ["sasl.mechanism": "OAUTHBEARER"], ["sasl.mechanisms": "oauthbearer"],
      ["sasl.oauthbearer.token.endpoint.url": "https://id/token"],
      ["sasl.oauthbearer.method": "oidc"], ["enable.sasl.oauthbearer.unsecure.jwt": "true"],
      [
        "sasl.jaas.config":
          "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;"
      ],
    ] {
      var all = ["security.protocol": "SASL_SSL"]
      all.merge(java) { $1 }
      let error = refusal(all)
      XCTAssertEqual(error?.kind, .unsupported, "\(java)")
      XCTAssertTrue(error?.hint.contains("OIDC") ?? false, "\(java): \(error?.hint ?? "")")
    }
    XCTAssertEqual(
      refusal(["security.protocol": "SASL_SSL", "sasl.mechanism": "MAGIC"])?.kind, .invalid)
    let scram = ["security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-256"]
    XCTAssertEqual(try settings(scram)["sasl.mechanisms"], "SCRAM-SHA-256")
  }

  func test_keyStores_areTakenWhereTheyCanBeRead() throws {
    let pkcs = try settings([
      "security.protocol": "SSL", "ssl.keystore.location": "/me.p12",
      "ssl.keystore.password": "secret",
    ])
    XCTAssertEqual(pkcs["ssl.keystore.location"], "/me.p12")
    XCTAssertEqual(pkcs["ssl.keystore.password"], "secret")
    let pem = try settings([
      "security.protocol": "SSL", "ssl.keystore.location": "/me", "ssl.keystore.type": "PEM",
    ])
    XCTAssertEqual(pem["ssl.certificate.location"], "/me")
    XCTAssertEqual(
      refusal(["security.protocol": "SSL", "ssl.keystore.location": "/me.jks"])?.kind, .unsupported)
  }

  func test_jaas_isParsedOrRefused() {
    let plain = KafkaSecurity.jaas("a.PlainLoginModule required\n  username='x y' password=z;")
    XCTAssertEqual(plain?.module, "a.PlainLoginModule")
    XCTAssertEqual(plain?.values, ["username": "x y", "password": "z"])
    XCTAssertNil(KafkaSecurity.jaas("nothing"))
    XCTAssertNil(KafkaSecurity.jaas("m required name=\"open"))
    XCTAssertNil(KafkaSecurity.jaas("m required word;"))
  }

  func test_javaClasses_areRefusedWithTheReason() {
    for name in ["interceptor.classes", "transactional.id", "partitioner.class"] {
      let error = refusal([name: "x"])
      XCTAssertEqual(error?.kind, .unsupported, name)
      XCTAssertFalse(error?.hint.isEmpty ?? true, name)
    }
  }
}
