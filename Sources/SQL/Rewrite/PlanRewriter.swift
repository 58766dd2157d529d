import Columns
import Dataflow

enum PlanRewriter {
  static func rewrite(_ plan: Plan) -> Plan { plan }
}
