import CCurl
import Columns
import Glibc

/// One connection to a web service: sends bodies, and waits for their answers. Certificates are verified;
/// redirects are not followed, and no other protocols are spoken.
final class HTTPClient {
  private let curl: UnsafeMutableRawPointer
  private let options: HTTPOptions
  private let answer = UnsafeMutablePointer<terrace_curl_answer>.allocate(capacity: 1)

  private static let isReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

  init(_ options: HTTPOptions) throws(TerraceError) {
    guard Self.isReady, let curl = curl_easy_init() else {
      throw TerraceError(.unavailable, "no memory for a connection")
    }
    self.curl = curl
    self.options = options
    answer.initialize(to: terrace_curl_answer())
    terrace_curl_text(curl, CURLOPT_URL, options.url)
    terrace_curl_text(curl, CURLOPT_PROTOCOLS_STR, "http,https")
    terrace_curl_number(curl, CURLOPT_FOLLOWLOCATION, 0)
    terrace_curl_number(curl, CURLOPT_SSL_VERIFYPEER, 1)
    terrace_curl_number(curl, CURLOPT_SSL_VERIFYHOST, 2)
    terrace_curl_number(curl, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
    if let authorities = options.authorities {
      if access(authorities, R_OK) != 0 {
        throw TerraceError(.notFound, "the file of certificates cannot be read")
          .with("sslrootcert", authorities)
      }
      terrace_curl_text(curl, CURLOPT_CAINFO, authorities)
      // None but these.
      terrace_curl_text(curl, CURLOPT_CAPATH, nil)
    }
    terrace_curl_number(curl, CURLOPT_NOSIGNAL, 1)
    terrace_curl_number(curl, CURLOPT_TIMEOUT_MS, Int(options.timeoutMillis))
    terrace_curl_number(curl, CURLOPT_CONNECTTIMEOUT_MS, Int(min(options.timeoutMillis, 10_000)))
    terrace_curl_text(curl, CURLOPT_USERAGENT, "terrace")
    terrace_curl_text(curl, CURLOPT_CUSTOMREQUEST, options.method)
    terrace_curl_answer_to(curl, answer)
  }

  deinit {
    curl_easy_cleanup(curl)
    answer.deallocate()
  }

  enum Outcome {
    case done
    /// It may work later; seconds that the server asks to wait.
    case later(TerraceError, seconds: Int)
    case refused(TerraceError)
  }

  /// - Parameter key: the same for the same body: a service that keeps it takes no body twice.
  func send(_ body: UnsafeRawBufferPointer, key: String) -> Outcome {
    var headers: UnsafeMutablePointer<curl_slist>?
    for header in options.headers + ["Idempotency-Key: \(key)", "Expect:"] {
      headers = curl_slist_append(headers, header)
    }
    defer { curl_slist_free_all(headers) }
    terrace_curl_headers(curl, headers)
    terrace_curl_body(curl, body.baseAddress, body.count)
    answer.pointee.kept = 0
    answer.pointee.seen = 0
    answer.pointee.error.0 = 0
    let code = curl_easy_perform(curl)
    guard code == CURLE_OK else {
      return failure(code)
    }
    let status = terrace_curl_status(curl)
    if (200..<300).contains(status) { return .done }
    let isLater = status == 408 || status == 429 || status >= 500
    let error = TerraceError(
      isLater ? .unavailable : .invalid, "the web service answered \(status)"
    ).with("answer", text)
    return isLater ? .later(error, seconds: terrace_curl_pause(curl)) : .refused(error)
  }

  /// What will be the same the next time is no matter of waiting.
  private func failure(_ code: CURLcode) -> Outcome {
    let told = withUnsafeBytes(of: answer.pointee.error) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    let reason = told.isEmpty ? String(cString: curl_easy_strerror(code)) : told
    let untrusted: Set = [
      CURLE_PEER_FAILED_VERIFICATION.rawValue, CURLE_SSL_ISSUER_ERROR.rawValue,
    ]
    if untrusted.contains(code.rawValue) {
      return .refused(
        TerraceError(
          .invalid, "the web service's certificate is not trusted",
          hint: "'sslrootcert' names a file with the certificate of its authority"
        ).with("reason", reason))
    }
    let lasting: Set = [
      CURLE_URL_MALFORMAT.rawValue, CURLE_UNSUPPORTED_PROTOCOL.rawValue,
      CURLE_SSL_CERTPROBLEM.rawValue, CURLE_SSL_CACERT_BADFILE.rawValue,
      CURLE_SSL_CRL_BADFILE.rawValue, CURLE_SSL_CIPHER.rawValue,
    ]
    let isLasting = lasting.contains(code.rawValue)
    let error = TerraceError(
      isLasting ? .invalid : .unavailable, "the web service was not reached"
    ).with("reason", reason)
    return isLasting ? .refused(error) : .later(error, seconds: 0)
  }

  private var text: String {
    withUnsafeBytes(of: answer.pointee.text) {
      String(decoding: $0.prefix(Int(answer.pointee.kept)).prefix(200), as: UTF8.self)
    }
  }
}
