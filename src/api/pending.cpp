// An outcome is settled once, by rows or by an error, and whoever waits is woken. An expression over partitions keeps them wanted as long as it lives.
#include "api/pending.hpp"

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>

#include "api/on_cluster.hpp"
#include "api/operators.hpp"
#include "base/error.hpp"
#include "data/source_rows.hpp"
#include "expr/annotations.hpp"
#include "expr/op.hpp"
#include "kernels/settling.hpp"
#include "kernels/wire.hpp"
#include "plan/plan.hpp"

namespace muster::api {
using namespace base;
using namespace data;
namespace {

class Outcome {
 public:
  void settle(const Expr& as, std::function<void()> raise) {
    std::lock_guard lock(mutex_);
    if (over_) return;
    over_ = true, settled_ = as, raise_ = std::move(raise);
    told_.notify_all();
  }
  bool wait(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    return told_.wait_for(lock, timeout, [this] { return over_; });
  }
  /// Null while it is pending. Throws what it failed of.
  Expr get() {
    std::unique_lock lock(mutex_);
    if (!over_ || settled_) return settled_;
    const auto raise = raise_;
    lock.unlock();  // it takes the interpreter's lock
    raise();
    throw internal("what was pending failed of nothing");
  }

 private:
  std::mutex mutex_;
  std::condition_variable told_;
  bool over_ = false;
  Expr settled_;
  std::function<void()> raise_;  // an exception of the guest's can be thrown once only: each time a new one
};

constexpr const char* kPending = "pending-";  // begins the token of an outcome

// Null of expressions that are not to come.
Outcome* outcome_of(const Expr& e) {
  const auto rows = rows_of(e->args);
  return rows && rows->token.starts_with(kPending) ? static_cast<Outcome*>(rows->object.get()) : nullptr;
}

// The persisted expression that this one is; null while it is pending, or if it is none.
Expr persisted(const Expr& e) {
  if (Outcome* outcome = outcome_of(e)) return outcome->get();
  return partitions_of(e) ? e : nullptr;
}

std::atomic<int64_t> pendings{0};
}  // namespace

List fields_of(const std::vector<Field>& fields) {
  List out;
  for (const auto& f : fields) out.push_back(List{f.label, code(f.type)});
  return out;
}

Expr from_tasks(Dict tasks, int64_t count, const Schema& schema, List settlements, const Value& divisions) {
  Dict args = std::move(tasks);
  const Dict rest{{"count", count}, {"kind", static_cast<int>(schema.kind)}, {"fields", fields_of(schema.columns)},
            {"index", fields_of(schema.index)}, {"labels_integer", schema.labels_integer}, {"settlements", std::move(settlements)}};
  args.insert(args.end(), rest.begin(), rest.end());
  if (divisions.is_list()) args.emplace_back("divisions", divisions);
  return call(operators::from_tasks, std::move(args), {});
}

std::pair<Expr, Shared> pending(const Expr& of, const Shared& holder) {
  const expr::Unannotated quiet;
  Schema schema = of->schema;
  if (schema.index.empty() && !of->is_one_row()) schema.index = {{Label(), {Storage::int64}}};
  const Shared outcome = std::make_shared<const base::Opaque>(base::Opaque{concat(kPending, ++pendings), std::make_shared<Outcome>()});
  List settlements(schema.index.size() + schema.columns.size());
  return {from_tasks({{"rows", outcome}, {"holder", holder}}, of->npartitions, schema, std::move(settlements), of->divisions), outcome};
}

void settle(const base::Opaque& outcome, const Expr& persisted) { static_cast<Outcome*>(outcome.object.get())->settle(persisted, {}); }
void fail(const base::Opaque& outcome, std::function<void()> raise) { static_cast<Outcome*>(outcome.object.get())->settle(nullptr, std::move(raise)); }

std::vector<Expr> all_settled(const std::vector<Expr>& expressions, const RunOptions& options) {
  std::map<Hash128, Expr> settled;
  for (const auto& node : expr::topological(expressions))
    if (Outcome* outcome = outcome_of(node)) {
      while (!outcome->wait(std::chrono::milliseconds(20)))
        if (options.tick && options.tick({})) throw Error(ErrorKind::cancelled, "the computation was stopped");
      settled[node->id] = outcome->get();
    }
  return expr::substitute(expressions, settled);
}

std::vector<TaskId> tasks_of(const Expr& expression) {
  const Expr e = persisted(expression);
  return e ? partitions_of(e)->tasks->ids : std::vector<TaskId>{};
}

std::vector<std::pair<Expr, std::vector<int64_t>>> partitions_read(const Expr& expression) {
  const plan::Plan plan = plan::lower({expression});
  std::vector<std::pair<Expr, std::vector<int64_t>>> out;
  std::map<Hash128, std::pair<size_t, std::set<int64_t>>> seen;
  for (int at : plan::order_of(plan)) {
    const auto& stage = plan.stages[static_cast<size_t>(at)];
    if (!stage.source || (!partitions_of(stage.source) && !outcome_of(stage.source))) continue;
    const auto [found, fresh] = seen.try_emplace(stage.source->id, out.size(), std::set<int64_t>{});
    if (fresh) out.emplace_back(stage.source, std::vector<int64_t>{});
    auto& [place, known] = found->second;
    for (int64_t i = 0; i < stage.count; ++i)
      if (const int64_t p = stage.partitions.empty() ? i : stage.partitions[static_cast<size_t>(i)]; known.insert(p).second) out[place].second.push_back(p);
  }
  return out;
}

Value described(const Expr& expression) {
  const Expr e = persisted(expression);
  if (!e) return {};
  Dict out{{"output", partitions_of(e)->output}};
  for (const char* name : {"kind", "fields", "index", "labels_integer", "settlements"}) out.emplace_back(name, e->args[name]);
  std::vector<DType> types;
  for (const auto* fields : {&e->schema.columns, &e->schema.index})
    for (const auto& f : *fields) types.push_back(f.type);
  Encoder definitions;
  kernels::encode_definitions(definitions, types);
  out.emplace_back("definitions", definitions.take());
  return out;
}

Computed together(const Value& description, const std::vector<std::string_view>& objects) {
  Decoder definitions(description["definitions"].string());
  kernels::know_definitions(definitions);
  std::vector<kernels::Settlement> settlements;
  for (const auto& s : description["settlements"].list()) settlements.push_back(s.is_none() ? kernels::Settlement{} : kernels::Settlement::decode(s));
  const auto& op = expr::op(operators::from_tasks);
  const std::vector<Expr> none;
  Computed c{op.schema(expr::Call(op, description, none)), {}, {}, 0, {}};
  c.finish = [settlements = std::move(settlements)](size_t column, const Column& part, int64_t rows) {
    return kernels::settle(part, rows, settlements[column]);
  };
  for (const auto& bytes : objects) {
    int64_t rows = 0;
    const auto output = kernels::decode_output(bytes, static_cast<size_t>(description["output"].integer()));
    for (const auto& b : *output.batches) rows += b.rows, c.parts.push_back(b);
    c.rows += rows;
    c.partition_rows.push_back(rows);
  }
  return c;
}

}  // namespace muster::api
