// A node never changes, and its id says all of it. No walk recurses: programs make chains of thousands of nodes, also when these are freed.
#include "expr/node.hpp"

#include <algorithm>
#include <set>

#include "expr/annotations.hpp"
#include "expr/op.hpp"

namespace muster::expr {
namespace {
std::map<std::string, Op>& table() {
  static std::map<std::string, Op> ops;
  return ops;
}
constexpr int64_t kWireVersion = 1;
}  // namespace

void register_ops(std::vector<Op> ops) {
  for (auto& o : ops) {
    auto name = o.name;
    if (!table().emplace(name, std::move(o)).second) throw internal("operator ", name, " is registered twice");
  }
}

const Op& op(const std::string& name) {
  auto found = table().find(name);
  if (found == table().end()) throw invalid("unknown operator '", name, "'");
  return found->second;
}

std::vector<const Op*> all_ops() {
  std::vector<const Op*> out;
  for (const auto& [name, o] : table()) out.push_back(&o);
  return out;
}

Node::~Node() {
  std::vector<Expr> stack = std::move(inputs);
  while (!stack.empty()) {
    Expr last = std::move(stack.back());
    stack.pop_back();
    if (last.use_count() > 1) continue;
    auto& below = std::const_pointer_cast<Node>(last)->inputs;
    stack.insert(stack.end(), std::make_move_iterator(below.begin()), std::make_move_iterator(below.end()));
    below.clear();
  }
}

std::string Node::name() const { return op->name + "-" + id.hex(); }

Expr make(const Op& op, Value args, std::vector<Expr> inputs) {
  auto node = std::make_shared<Node>();
  node->op = &op, node->args = std::move(args), node->inputs = std::move(inputs);
  if (!node->args.is_dict()) throw invalid(op.name, ": the arguments must be a dict");
  if (op.instead)
    if (Expr other = op.instead(Call(op, node->args, node->inputs))) return other;
  std::string bytes = op.name + '\0';
  node->args.encode(bytes);
  for (const auto& i : node->inputs) bytes += i->id.hex();
  node->id = hash_bytes(bytes);
  note_annotations(node->id);
  const Call call(op, node->args, node->inputs);
  node->schema = op.schema(call);
  node->npartitions = op.partitions ? op.partitions(call) : 1;
  node->rows = node->id;
  if ((node->inputs.empty() || op.sets_divisions) && node->args["divisions"].is_list()) node->divisions = node->args["divisions"];
  for (const auto& i : node->inputs) {
    if (i->is_one_row()) continue;
    if (!op.partitions && !op.folds) node->npartitions = i->npartitions;
    if (op.same_rows) node->rows = i->rows;
    if ((op.same_rows || op.fewer_rows) && !op.sets_divisions) node->divisions = i->divisions;
    break;
  }
  return node;
}

namespace {
// A node over other inputs. What it has beside them was asked of the old ones, whose dtypes may have been others.
Expr made_over(const Node& node, std::vector<Expr> inputs) {
  if (node.op->beside && inputs.at(0) != node.inputs.at(0)) {
    const auto more = node.op->beside(Call(*node.op, node.args, inputs), inputs.at(0));
    std::copy(more.begin(), more.end(), inputs.end() - static_cast<ptrdiff_t>(more.size()));
  }
  auto out = make(*node.op, node.args, std::move(inputs));
  hand_on_annotations(node.id, out->id);
  return out;
}
}  // namespace

std::vector<Expr> substitute(const std::vector<Expr>& in, const std::map<Hash128, Expr>& by) {
  if (by.empty()) return in;
  std::map<Hash128, Expr> made;
  for (const auto& node : topological(in)) {
    bool changed = false;
    std::vector<Expr> inputs;
    for (const auto& i : node->inputs) inputs.push_back(made[i->id]), changed |= inputs.back() != i;
    const auto other = by.find(node->id);
    if (other != by.end()) hand_on_annotations(node->id, other->second->id);
    made[node->id] = changed ? made_over(*node, std::move(inputs)) : other != by.end() ? other->second : node;
  }
  std::vector<Expr> out;
  for (const auto& e : in) out.push_back(made[e->id]);
  return out;
}

std::vector<Expr> topological(const std::vector<Expr>& roots) {
  std::vector<Expr> out;
  std::set<Hash128> seen;
  // Without recursion: a loop in a user's program makes chains of thousands of nodes.
  std::vector<std::pair<Expr, size_t>> stack;
  for (const auto& root : roots) {
    stack.emplace_back(root, 0);
    while (!stack.empty()) {
      auto& [node, next] = stack.back();
      if (next == 0 && seen.contains(node->id)) {
        stack.pop_back();
      } else if (next < node->inputs.size()) {
        Expr input = node->inputs[next++];
        stack.emplace_back(std::move(input), 0);
      } else {
        if (seen.insert(node->id).second) out.push_back(node);
        stack.pop_back();
      }
    }
  }
  return out;
}

std::string encode(const std::vector<Expr>& roots) {
  std::map<Hash128, int64_t> number;
  List nodes, ends;
  for (const auto& node : topological(roots)) {
    List inputs;
    for (const auto& i : node->inputs) inputs.push_back(number[i->id]);
    number[node->id] = static_cast<int64_t>(nodes.size());
    nodes.push_back(List{node->op->name, node->args, inputs});
  }
  for (const auto& r : roots) ends.push_back(number[r->id]);
  std::string bytes;
  Value(List{kWireVersion, nodes, ends}).encode(bytes);
  return bytes;
}

std::vector<Expr> decode(std::string_view bytes, const FindObject& objects) {
  const Value whole = Value::decode(bytes, objects);
  if (!whole.is_list() || whole.list().size() != 3 || !whole.list()[0].is_integer() || !whole.list()[1].is_list() || !whole.list()[2].is_list())
    throw invalid("wire form: not an expression");
  if (whole.list()[0].integer() != kWireVersion) throw invalid("wire form: version ", whole.list()[0].integer(), ", this muster reads ", kWireVersion);
  std::vector<Expr> nodes, roots;
  auto at = [&](const Value& v) {
    if (!v.is_integer() || v.integer() < 0 || static_cast<size_t>(v.integer()) >= nodes.size())
      throw invalid("wire form: an expression refers to a node that is not there");
    return nodes[static_cast<size_t>(v.integer())];
  };
  for (const auto& n : whole.list()[1].list()) {
    if (!n.is_list() || n.list().size() != 3 || !n.list()[0].is_string() || !n.list()[2].is_list()) throw invalid("wire form: not a node");
    std::vector<Expr> inputs;
    for (const auto& i : n.list()[2].list()) inputs.push_back(at(i));
    try {
      nodes.push_back(make(op(n.list()[0].string()), n.list()[1], std::move(inputs)));
    } catch (const std::out_of_range&) {
      throw invalid("wire form: ", n.list()[0].string(), " lacks an input or argument");
    }
  }
  for (const auto& r : whole.list()[2].list()) roots.push_back(at(r));
  return roots;
}

}  // namespace muster::expr
