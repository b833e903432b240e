#include "kernels/task_values.hpp"

#include "base/error.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

class OneRow : public Reader {
 public:
  explicit OneRow(const Args& args) : args_(args) {}
  bool next(Task& task, Batch& out) override {
    if (std::exchange(given_, true)) return false;
    const auto& values = args_["rows"].opaque();
    if (!values->token.empty()) throw internal("the tasks whose values are read were not run");
    const Batch row = static_cast<TaskValues*>(values->object.get())->row(task.partition());
    out.rows = row.rows, out.columns.clear();
    for (const auto& c : args_["columns"].list()) out.columns.push_back(row.columns.at(static_cast<size_t>(c.integer())));
    task.report.rows += row.rows;
    return true;
  }

 private:
  const Args& args_;
  bool given_ = false;
};

class ValuesSource : public Source {
 public:
  explicit ValuesSource(const Args& a) : args_(a) {}
  std::unique_ptr<Reader> open(Task&) const override { return std::make_unique<OneRow>(args_); }

 private:
  Args args_;
};
}  // namespace

Value values_of_tasks(std::shared_ptr<TaskValues> values) { return std::make_shared<const Opaque>(Opaque{"", std::move(values)}); }

Kernel task_values_kernel() {
  return {.name = "task.values", .source = [](const Args& a) -> std::unique_ptr<Source> { return std::make_unique<ValuesSource>(a); }};
}

}  // namespace muster::kernels
