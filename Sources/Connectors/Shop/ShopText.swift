import Columns

/// The shop's changes as lines: orders and users as Debezium writes them, payments as Canal does, products as
/// plain JSON.
struct ShopText {
  /// Milliseconds to write as the time of the message; nil: the change's own.
  var wallMillis: Int64?
  /// The text of the day that was written last.
  private var day = Int64.min
  private var dayText: [UInt8] = []

  init(wallMillis: Int64?) { self.wallMillis = wallMillis }

  mutating func append(_ change: ShopChange, to out: inout [UInt8]) {
    switch change {
    case .order(let before, let after):
      debezium("orders", (after ?? before)?.updatedAt, &out, before != nil, after != nil, "c") {
        if let row = $2 ? after : before { $0.order(row, &$1) }
      }
    case .user(let before, let after, let isFirst):
      let kind = isFirst ? "r" : "c"
      debezium("users", (after ?? before)?.updatedAt, &out, before != nil, after != nil, kind) {
        if let row = $2 ? after : before { $0.user(row, &$1) }
      }
    case .payment(let before, let after): canal(before, after, &out)
    case .product(let row): product(row, &out)
    }
    out.append(UInt8(ascii: "\n"))
  }

  // MARK: Messages

  /// - Parameter row: writes the row before (false) or after (true) the change.
  private mutating func debezium(
    _ table: String, _ updatedAt: Int64?, _ out: inout [UInt8], _ hasBefore: Bool,
    _ hasAfter: Bool, _ creation: String, _ row: (inout ShopText, inout [UInt8], Bool) -> Void
  ) {
    let millis = wallMillis ?? updatedAt ?? 0
    out += "{\"before\":".utf8
    if hasBefore { row(&self, &out, false) } else { out += "null".utf8 }
    out += ",\"after\":".utf8
    if hasAfter { row(&self, &out, true) } else { out += "null".utf8 }
    out += ",\"source\":{\"db\":\"shop\",\"table\":\"".utf8
    out += table.utf8
    out += "\",\"ts_ms\":".utf8
    number(millis, &out)
    out += "},\"op\":\"".utf8
    out += (hasAfter ? (hasBefore ? "u" : creation) : "d").utf8
    out += "\",\"ts_ms\":".utf8
    number(millis, &out)
    out.append(UInt8(ascii: "}"))
  }

  private mutating func canal(
    _ before: PaymentRow?, _ after: PaymentRow?, _ out: inout [UInt8]
  ) {
    guard let row = after ?? before else { return }
    let millis = wallMillis ?? row.updatedAt
    out += "{\"data\":[".utf8
    payment(row, &out)
    out += "],\"old\":".utf8
    if let before, after != nil {
      out += "[{\"status\":\"".utf8
      out += ShopNames.payments[before.status.rawValue].utf8
      out += "\",\"updated_at\":".utf8
      time(before.updatedAt, &out)
      out += "}]".utf8
    } else {
      out += "null".utf8
    }
    out += ",\"type\":\"".utf8
    out += (after == nil ? "DELETE" : before == nil ? "INSERT" : "UPDATE").utf8
    out += "\",\"database\":\"shop\",\"table\":\"payments\",\"es\":".utf8
    number(millis, &out)
    out += ",\"ts\":".utf8
    number(millis, &out)
    out += ",\"pkNames\":[\"order_id\"],\"isDdl\":false}".utf8
  }

  // MARK: Rows

  private mutating func order(_ row: OrderRow, _ out: inout [UInt8]) {
    out += "{\"order_id\":".utf8
    number(row.id, &out)
    out += ",\"user_id\":".utf8
    number(Int64(row.user), &out)
    out += ",\"product_id\":".utf8
    number(Int64(row.product), &out)
    out += ",\"quantity\":".utf8
    number(row.quantity, &out)
    out += ",\"amount\":\"".utf8
    cents(row.amount, &out)
    out += "\",\"status\":\"".utf8
    out += ShopNames.statuses[row.status.rawValue].utf8
    out += "\",\"created_at\":".utf8
    time(row.createdAt, &out)
    out += ",\"updated_at\":".utf8
    time(row.updatedAt, &out)
    out.append(UInt8(ascii: "}"))
  }

  private mutating func user(_ row: UserRow, _ out: inout [UInt8]) {
    out += "{\"user_id\":".utf8
    number(Int64(row.id), &out)
    out += ",\"user_name\":\"".utf8
    out += ShopNames.people[row.id % ShopNames.people.count].utf8
    out.append(UInt8(ascii: " "))
    number(Int64(row.id), &out)
    out += "\",\"city\":".utf8
    if let city = row.city {
      out.append(UInt8(ascii: "\""))
      out += ShopNames.cities[city].utf8
      out.append(UInt8(ascii: "\""))
    } else {
      out += "null".utf8
    }
    out += ",\"level\":".utf8
    number(Int64(row.level), &out)
    out += ",\"updated_at\":".utf8
    time(row.updatedAt, &out)
    out.append(UInt8(ascii: "}"))
  }

  /// All values are text, as Canal has them.
  private mutating func payment(_ row: PaymentRow, _ out: inout [UInt8]) {
    out += "{\"order_id\":\"".utf8
    number(row.order, &out)
    out += "\",\"payment_id\":\"".utf8
    number(1_000_000_000 + row.order, &out)
    out += "\",\"method\":\"".utf8
    out += ShopNames.methods[row.method].utf8
    out += "\",\"amount\":\"".utf8
    cents(row.amount, &out)
    out += "\",\"status\":\"".utf8
    out += ShopNames.payments[row.status.rawValue].utf8
    out += "\",\"updated_at\":".utf8
    time(row.updatedAt, &out)
    out.append(UInt8(ascii: "}"))
  }

  private mutating func product(_ row: ProductRow, _ out: inout [UInt8]) {
    out += "{\"product_id\":".utf8
    number(Int64(row.id), &out)
    out += ",\"shop_id\":".utf8
    number(Int64(row.shop), &out)
    out += ",\"shop_name\":\"".utf8
    out += ShopNames.shops[row.shop % ShopNames.shops.count].utf8
    out.append(UInt8(ascii: " "))
    number(Int64(row.shop), &out)
    out += "\",\"product_name\":\"".utf8
    out += ShopNames.things[row.id % ShopNames.things.count].utf8
    out += " no. ".utf8
    number(Int64(row.id), &out)
    out += "\",\"category\":\"".utf8
    out += ShopNames.categories[row.category].utf8
    out += "\",\"price\":".utf8
    cents(row.price, &out)
    out += ",\"updated_at\":".utf8
    time(row.updatedAt, &out)
    out.append(UInt8(ascii: "}"))
  }

  // MARK: Values

  private func number(_ value: Int64, _ out: inout [UInt8]) {
    if value >= 10 { number(value / 10, &out) }
    out.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value % 10))
  }

  private func digits(_ value: Int64, _ count: Int, _ out: inout [UInt8]) {
    if count > 1 { digits(value / 10, count - 1, &out) }
    out.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value % 10))
  }

  private func cents(_ value: Int64, _ out: inout [UInt8]) {
    number(value / 100, &out)
    out.append(UInt8(ascii: "."))
    digits(value % 100, 2, &out)
  }

  /// `"2026-11-16 08:12:31.123"`, with quotes.
  private mutating func time(_ millis: Int64, _ out: inout [UInt8]) {
    let number = millis / 86_400_000
    if number != day {
      day = number
      let date = CivilDate.date(ofDay: number)
      var text: [UInt8] = []
      digits(date.year, 4, &text)
      text.append(UInt8(ascii: "-"))
      digits(date.month, 2, &text)
      text.append(UInt8(ascii: "-"))
      digits(date.day, 2, &text)
      dayText = text
    }
    let rest = millis % 86_400_000
    out.append(UInt8(ascii: "\""))
    out += dayText
    out.append(UInt8(ascii: " "))
    digits(rest / 3_600_000, 2, &out)
    out.append(UInt8(ascii: ":"))
    digits(rest / 60_000 % 60, 2, &out)
    out.append(UInt8(ascii: ":"))
    digits(rest / 1000 % 60, 2, &out)
    out.append(UInt8(ascii: "."))
    digits(rest % 1000, 3, &out)
    out.append(UInt8(ascii: "\""))
  }
}
