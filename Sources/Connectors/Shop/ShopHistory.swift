import Store

/// All that ever happens in the shop: change 0, 1, 2, … in the order of arrival, endless, and the same for
/// the same seed.
///
/// Customers and products are there at six o'clock of the first day. From then on orders are made all day,
/// most are paid within minutes, shipped and completed hours or days later; some are cancelled, refunded or
/// deleted. A change arrives up to 30 seconds after it was made, one of a thousand hours later, but changes
/// of one key never overtake each other.
struct ShopHistory {
  private struct Arrival {
    var time: Int64
    /// Tells apart what arrives in the same millisecond.
    var number: Int
    var slot: Int
  }

  private static let second: Int64 = 1000
  private static let minute: Int64 = 60_000
  private static let hour: Int64 = 3_600_000
  /// Orders in the hours of a day, in parts of the day's average hour.
  private static let pace: [Double] = [
    0.3, 0.15, 0.1, 0.1, 0.1, 0.3, 0.5, 0.8, 1.0, 1.2, 1.3, 1.5, 1.8, 1.5, 1.2, 1.2, 1.2, 1.4, 1.7,
    2.1, 2.2, 1.8, 1.2, 0.6,
  ]

  private var chance: SplitMix
  private let orderGap: Double
  private let userGap: Double
  private let productGap: Double
  private let shopCount: Int

  private var users: [UserRow] = []
  private var hasLeft: [Bool] = []
  private var products: [ProductRow] = []
  private var userArrivals: [Int64] = []
  private var productArrivals: [Int64] = []
  private var orderCount: Int64 = 0
  private var nextOrder: Int64
  private var nextUser: Int64
  private var nextProduct: Int64

  private var heap: [Arrival] = []
  private var slots: [ShopChange] = []
  private var freeSlots: [Int] = []
  private var made = 0

  /// - Parameters:
  ///   - day: the first day's midnight.
  ///   - changesPerDay: about so many changes are made on a full day.
  init(seed: UInt64, day: Int64, changesPerDay: Int) {
    chance = SplitMix(seed: seed)
    let perDay = Double(max(changesPerDay, 1))
    let milliseconds = 86_400_000.0
    orderGap = milliseconds / (perDay * 0.174)
    userGap = milliseconds / (perDay * 0.03)
    productGap = milliseconds / (perDay * 0.02)
    shopCount = max(5, min(500, changesPerDay / 1800))
    let opening = day + 6 * ShopHistory.hour
    nextOrder = opening + ShopHistory.minute
    nextUser = nextOrder
    nextProduct = nextOrder
    for id in 1...max(20, changesPerDay / 18) {
      let row = UserRow(
        id: id, city: below(ShopNames.cities.count), level: below(6), updatedAt: opening)
      users.append(row)
      hasLeft.append(false)
      userArrivals.append(opening + Int64(below(30_000)))
      push(.user(before: nil, after: row, isFirst: true), at: userArrivals[id - 1])
    }
    for id in 1...max(10, changesPerDay / 70) {
      // Shops with small numbers have more to sell.
      let row = ProductRow(
        id: id, shop: 1 + min(below(shopCount), below(shopCount)),
        category: below(ShopNames.categories.count), price: price(), updatedAt: opening)
      products.append(row)
      productArrivals.append(opening + Int64(below(30_000)))
      push(.product(row), at: productArrivals[id - 1])
    }
  }

  /// The next change, and when it arrives.
  mutating func next() -> (change: ShopChange, arrival: Int64) {
    // What is made later than the first arrival cannot arrive before it.
    while heap.isEmpty || heap[0].time > min(nextOrder, nextUser, nextProduct) { advance() }
    let first = popFirst()
    let change = slots[first.slot]
    freeSlots.append(first.slot)
    return (change, first.time)
  }

  private mutating func advance() {
    if nextOrder <= nextUser, nextOrder <= nextProduct {
      makeOrder(at: nextOrder)
      let pace = ShopHistory.pace[Int(nextOrder / ShopHistory.hour % 24)]
      nextOrder += gap(orderGap / pace)
    } else if nextUser <= nextProduct {
      changeUser(at: nextUser)
      nextUser += gap(userGap)
    } else {
      changeProduct(at: nextProduct)
      nextProduct += gap(productGap)
    }
  }

  // MARK: What happens

  private mutating func makeOrder(at time: Int64) {
    var user = below(users.count)
    while hasLeft[user] { user = below(users.count) }
    let product = min(below(products.count), below(products.count))
    let quantity = Int64(1 + min(below(4), below(4)))
    orderCount += 1
    let first = OrderRow(
      id: orderCount, user: user + 1, product: product + 1, quantity: quantity,
      amount: products[product].price * quantity, status: .created, createdAt: time,
      updatedAt: time)
    var life = Life(order: first)
    arriveOrder(&life, first)
    let fate = below(100)
    let end =
      below(100) == 0 ? time + ShopHistory.hour + Int64(below(47 * 3_600_000)) : Int64.max
    if fate < 6 {
      step(&life, .cancelled, at: time + spread(ShopHistory.minute, 2 * ShopHistory.hour), end)
    } else if fate < 96 {
      pay(&life, at: time + spread(10 * ShopHistory.second, 10 * ShopHistory.minute), end)
    }
    guard end < Int64.max else { return }
    arriveOrder(&life, nil, at: end)
    if life.payment != nil { arrivePayment(&life, nil, at: end + spread(0, 2000)) }
  }

  /// An order on its way, with what was said of it last.
  private struct Life {
    var order: OrderRow
    var payment: PaymentRow?
    var orderSaid: OrderRow?
    var orderArrival = Int64.min
    var paymentArrival = Int64.min
  }

  private mutating func pay(_ life: inout Life, at start: Int64, _ end: Int64) {
    guard start < end else { return }
    let payment = PaymentRow(
      order: life.order.id, method: below(ShopNames.methods.count), amount: life.order.amount,
      status: .pending, updatedAt: start)
    arrivePayment(&life, payment, at: start)
    let paid = start + spread(ShopHistory.second, ShopHistory.minute)
    guard settle(&life, .succeeded, at: paid, end) else { return }
    step(&life, .paid, at: paid + spread(0, 5000), end)
    if below(100) < 3 {
      _ = settle(
        &life, .refunded, at: paid + spread(6 * ShopHistory.hour, 40 * ShopHistory.hour), end)
    }
    guard below(100) < 97 else { return }
    let shipped = paid + spread(2 * ShopHistory.hour, 20 * ShopHistory.hour)
    step(&life, .shipped, at: shipped, end)
    guard below(100) < 95 else { return }
    step(
      &life, .completed, at: shipped + spread(12 * ShopHistory.hour, 60 * ShopHistory.hour), end)
  }

  private mutating func step(
    _ life: inout Life, _ status: OrderRow.Status, at time: Int64, _ end: Int64
  ) {
    guard time < end else { return }
    var row = life.order
    row.status = status
    row.updatedAt = time
    arriveOrder(&life, row)
  }

  private mutating func settle(
    _ life: inout Life, _ status: PaymentRow.Status, at time: Int64, _ end: Int64
  ) -> Bool {
    guard time < end, var row = life.payment else { return false }
    row.status = status
    row.updatedAt = time
    arrivePayment(&life, row, at: time)
    return true
  }

  private mutating func changeUser(at time: Int64) {
    let user = below(users.count)
    if hasLeft[user] { return }
    let before = users[user]
    userArrivals[user] = arrival(time, after: userArrivals[user], mayBeLate: false)
    if below(100) < 3, users.count - user > 10 {
      hasLeft[user] = true
      push(.user(before: before, after: nil, isFirst: false), at: userArrivals[user])
      return
    }
    users[user].updatedAt = time
    if below(2) == 0 {
      users[user].level = below(6)
    } else {
      users[user].city = below(20) == 0 ? nil : below(ShopNames.cities.count)
    }
    push(.user(before: before, after: users[user], isFirst: false), at: userArrivals[user])
  }

  private mutating func changeProduct(at time: Int64) {
    let product = below(products.count)
    products[product].updatedAt = time
    if below(5) > 0 {
      products[product].price = price()
    } else {
      products[product].category = below(ShopNames.categories.count)
    }
    productArrivals[product] = arrival(time, after: productArrivals[product], mayBeLate: false)
    push(.product(products[product]), at: productArrivals[product])
  }

  // MARK: Arrival

  private mutating func arriveOrder(_ life: inout Life, _ row: OrderRow?, at end: Int64 = 0) {
    life.orderArrival = arrival(row?.updatedAt ?? end, after: life.orderArrival, mayBeLate: true)
    push(.order(before: life.orderSaid, after: row), at: life.orderArrival)
    life.orderSaid = row
    if let row { life.order = row }
  }

  private mutating func arrivePayment(_ life: inout Life, _ row: PaymentRow?, at time: Int64) {
    life.paymentArrival = arrival(time, after: life.paymentArrival, mayBeLate: true)
    push(.payment(before: life.payment, after: row), at: life.paymentArrival)
    life.payment = row
  }

  private mutating func arrival(_ time: Int64, after last: Int64, mayBeLate: Bool) -> Int64 {
    var arrival = time + Int64(below(30_000))
    if mayBeLate, below(1000) == 0 {
      arrival += spread(10 * ShopHistory.minute, 3 * ShopHistory.hour)
    }
    return last == .min ? arrival : max(arrival, last + 1)
  }

  // MARK: Chance

  private mutating func below(_ limit: Int) -> Int {
    Int(chance.next().multipliedFullWidth(by: UInt64(limit)).high)
  }

  private mutating func spread(_ least: Int64, _ most: Int64) -> Int64 {
    least + Int64(below(Int(most - least)))
  }

  private mutating func price() -> Int64 { Int64(99 + min(below(20_000), below(20_000))) }

  /// Between nothing and twice the average; never so long that an hour passes without a change.
  private mutating func gap(_ average: Double) -> Int64 {
    let longest = 40.0 * 60_000
    return max(1, Int64(Double(below(2_000_000)) / 1_000_000 * min(average, longest / 2)))
  }

  // MARK: A heap by arrival

  private mutating func push(_ change: ShopChange, at time: Int64) {
    let slot: Int
    if let free = freeSlots.popLast() {
      slots[free] = change
      slot = free
    } else {
      slot = slots.count
      slots.append(change)
    }
    heap.append(Arrival(time: time, number: made, slot: slot))
    made += 1
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard isBefore(heap[child], heap[parent]) else { break }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  private mutating func popFirst() -> Arrival {
    let first = heap[0]
    let last = heap.removeLast()
    guard !heap.isEmpty else { return first }
    heap[0] = last
    var parent = 0
    while true {
      var least = 2 * parent + 1
      guard least < heap.count else { return first }
      if least + 1 < heap.count, isBefore(heap[least + 1], heap[least]) { least += 1 }
      guard isBefore(heap[least], heap[parent]) else { return first }
      heap.swapAt(parent, least)
      parent = least
    }
  }

  private func isBefore(_ a: Arrival, _ b: Arrival) -> Bool {
    a.time != b.time ? a.time < b.time : a.number < b.number
  }
}
