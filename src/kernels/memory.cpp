// Batches handed out share the table's memory, which nobody writes to. The token is the table's name in every process; equal tokens are the same table.
#include "kernels/memory.hpp"

#include <unistd.h>

#include <atomic>
#include <cstring>
#include <random>

#include "base/text.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {
constexpr int64_t kMorsel = 32 << 10;  // rows
constexpr const char* kTable = "memory-";  // begins the token of a table

class MemoryReader : public Reader {
 public:
  MemoryReader(const Batches& batches, const Args& a, int64_t partition) : batches_(batches), ids_(a["row_ids"].boolean()), partition_(partition) {
    for (const auto& c : a["columns"].list()) columns_.push_back(c.integer());
  }
  bool next(Task& task, Batch& out) override {
    while (batch_ < batches_.size() && row_ >= batches_[batch_].rows) {
      if (batches_[batch_].rows == 0 && !given_) break;  // an empty partition gives one empty batch
      ++batch_, row_ = 0;
    }
    if (batch_ >= batches_.size()) return false;
    const Batch& b = batches_[batch_];
    const int64_t rows = std::min(kMorsel, b.rows - row_);
    out.rows = rows, out.columns.clear();
    for (auto c : columns_) {
      const Column& part = out.columns.emplace_back(slice(b.columns[static_cast<size_t>(c)], row_, rows));
      if (part.storage == Storage::boolean && part.valid && std::memchr(part.valid, 0, static_cast<size_t>(part.constant ? 1 : rows)))
        task.report.missing.push_back(c);  // of those that are open
    }
    if (ids_) {
      Writable ids(Storage::row_id, rows);
      for (int64_t i = 0; i < rows; ++i) ids.as<int64_t>()[i] = partition_ << 32 | (local_ + i);
      out.columns.push_back(std::move(ids).finish());
    }
    row_ += rows, local_ += rows, given_ = true;
    if (b.rows == 0) ++batch_;
    task.report.rows += rows;
    return true;
  }

 private:
  const Batches& batches_;
  std::vector<int64_t> columns_;
  bool ids_, given_ = false;
  int64_t partition_, row_ = 0, local_ = 0;
  size_t batch_ = 0;
};

class MemorySource : public Source {
 public:
  explicit MemorySource(const Args& a) : args_(a) {}
  std::unique_ptr<Reader> open(Task& t) const override {
    return memory_reader(memory_table(args_["rows"]).partitions[static_cast<size_t>(t.partition())], args_, t.partition());
  }

 private:
  Args args_;
};
}  // namespace

std::unique_ptr<Reader> memory_reader(const Batches& batches, const Value& args, int64_t partition) {
  return std::make_unique<MemoryReader>(batches, args, partition);
}

std::string new_table_token() {
  static std::atomic<int64_t> tables{0};
  static const uint64_t random = std::random_device()() | uint64_t{std::random_device()()} << 32;
  return concat(kTable, Hash128{random, static_cast<uint64_t>(getpid())}.hex(), "-", ++tables);  // a forked process has the same number
}

Value memory_value(std::shared_ptr<const MemoryTable> table, std::string token) {
  return std::make_shared<const Opaque>(Opaque{std::move(token), std::const_pointer_cast<MemoryTable>(table)});
}
const MemoryTable* table_in(const Opaque& object) { return object.token.starts_with(kTable) ? static_cast<const MemoryTable*>(object.object.get()) : nullptr; }
const MemoryTable& memory_table(const Value& value) { return *static_cast<const MemoryTable*>(value.opaque()->object.get()); }

Kernel memory_kernel() {
  return {.name = "memory.scan", .source = [](const Args& a) -> std::unique_ptr<Source> { return std::make_unique<MemorySource>(a); }};
}

}  // namespace muster::kernels
