// The expression: an immutable tree of operators, named by the hash of its content. Its schema is known, no data is.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/value.hpp"
#include "data/positions.hpp"

namespace muster::expr {

using base::Hash128;
using base::Value;
using data::Schema;

struct Op;
class Node;
using Expr = std::shared_ptr<const Node>;

class Node : public std::enable_shared_from_this<Node> {  // so that Python holds it by the same count
 public:
  Node() = default;
  ~Node();  // frees long chains without recursion
  const Op* op;
  Value args;  // a dict; InputRef stands for an input
  std::vector<Expr> inputs;
  Schema schema;
  const data::Positions positions{schema};
  int64_t npartitions = 1;
  Value divisions;         // list of index values at the partitions' borders, npartitions + 1; none = unknown
  Hash128 id;    // of operator, arguments and inputs
  Hash128 rows;  // equal for nodes with the same rows in the same order; of one-row results, their own id
  bool is_one_row() const { return schema.kind == data::Kind::scalar || schema.kind == data::Kind::row; }
  /// "mean-1f0c...": the operator and the start of the id.
  std::string name() const;
};

/// Makes a node: checks arguments, computes the schema. Throws Error as the operator says.
Expr make(const Op& op, Value args, std::vector<Expr> inputs);

/// The same expressions with nodes replaced by others, by id; schemas are computed again. What stands on one replaced is not replaced itself.
std::vector<Expr> substitute(const std::vector<Expr>& in, const std::map<Hash128, Expr>& by);

/// All nodes, inputs first, each once.
std::vector<Expr> topological(const std::vector<Expr>& roots);

/// The wire form: operator names, arguments, inputs; and back. Opaque objects are found by token through `objects`.
std::string encode(const std::vector<Expr>& roots);
std::vector<Expr> decode(std::string_view bytes, const base::FindObject& objects = {});

}  // namespace muster::expr
