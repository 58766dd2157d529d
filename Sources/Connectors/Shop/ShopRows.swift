/// Rows of the shop's tables, as its database holds them. Times are milliseconds since 1970 on the shop's
/// clock, amounts are cents; names and cities follow from numbers (``ShopNames``).
struct OrderRow {
  enum Status: Int { case created, paid, shipped, completed, cancelled }

  var id: Int64
  var user: Int
  var product: Int
  var quantity: Int64
  var amount: Int64
  var status: Status
  var createdAt: Int64
  var updatedAt: Int64
}

struct PaymentRow {
  enum Status: Int { case pending, succeeded, refunded }

  var order: Int64
  var method: Int
  var amount: Int64
  var status: Status
  var updatedAt: Int64
}

struct ProductRow {
  var id: Int
  var shop: Int
  var category: Int
  var price: Int64
  var updatedAt: Int64
}

struct UserRow {
  var id: Int
  /// Nil where nobody knows.
  var city: Int?
  var level: Int
  var updatedAt: Int64
}

/// One change of one of the shop's tables; rows as they were before and are after it.
enum ShopChange {
  case order(before: OrderRow?, after: OrderRow?)
  case payment(before: PaymentRow?, after: PaymentRow?)
  case product(ProductRow)
  case user(before: UserRow?, after: UserRow?, isFirst: Bool)

  var stream: ShopStreamName {
    switch self {
    case .order: .orders
    case .payment: .payments
    case .product: .products
    case .user: .users
    }
  }
}

/// The four streams, each a folder of files.
package enum ShopStreamName: String, CaseIterable, Sendable {
  case orders, payments, products, users
}

/// Names that follow from numbers; JSON's escapes are in them already, to be seen by every reader.
enum ShopNames {
  static let statuses = ["created", "paid", "shipped", "completed", "cancelled"]
  static let payments = ["pending", "succeeded", "refunded"]
  static let methods = ["card", "wallet", "transfer", "cash"]
  static let categories = [
    "books", "garden", "kitchen", "music", "outdoor", "toys", "caf\\u00e9", "家具",
  ]
  static let cities = [
    "Milano", "Torino", "Città di Castello", "東京", "Zürich", "Łódź", "São Paulo", "New York",
    "Coeur d'Alene", "Reykjavík", "Москва", "Al-Qāhira",
  ]
  static let people = [
    "Ada", "Zoë", "李雷", "Ümit", "O'Hara", "Łukasz", "José \\\"Pepe\\\"", "Anaïs", "Bjørk", "Noor",
    "Chidi", "Мария", "Robert\\\\Bob", "🍀 Lucky",
  ]
  static let shops = [
    "Bäckerei", "Corner Shop", "Nähkästchen", "茶屋", "Tom & Jerry's", "La Boutique", "5\\\" Records",
    "Panadería",
  ]
  static let things = [
    "lamp", "teapot", "notebook", "cactus 🌵", "blanket", "puzzle", "knife 8\\\"", "vase", "rope",
    "tambourine", "stove", "pillow", "atlas", "kite", "ladle",
  ]
}
