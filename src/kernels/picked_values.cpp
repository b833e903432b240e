// One value of each group: the smallest, largest, first, last, or that of its first row. Texts are copied: a state outlives the batch they came in.
#include <cstring>
#include <deque>
#include <limits>

#include "data/dispatch.hpp"
#include "kernels/aggregate_states.hpp"
#include "kernels/blocks.hpp"

namespace muster::kernels {
using namespace base;
using namespace data;
namespace {

template <class T>
struct FirstValue {
  T value{};
  int64_t count = 0, missing = 0;  // each 0 or 1: whether a row was seen, and whether its value is missing
  void merge(const FirstValue& o) {
    if (!count) *this = o;
  }
};

// The value of a group's first row, there or missing.
template <class T>
class FirstRow : public States<FirstValue<T>> {
 public:
  FirstRow(DType type) : type_(type) {}
  void add(const uint32_t* groups, const Column& c, int64_t rows) override {
    each_row<T>(groups, c, rows, [this](uint32_t g, T v) { offer(g, v, 0); }, [this](uint32_t g) { offer(g, T{}, 1); });
    if constexpr (std::is_same_v<T, Text>) {
      if (!c.text_kept || c.kept_bytes) own();
      else if (keeps_.empty() || keeps_.back() != c.text_keep()) keeps_.push_back(c.text_keep());
    }
  }
  void merge(Aggregate& later, Groups from, Groups to) override {
    auto& other = static_cast<FirstRow&>(later);
    for (size_t i = 0; i < from.size(); ++i)
      if (const auto& o = other.states_[from[i]]; o.count) offer(to[i], o.value, o.missing);
    if constexpr (std::is_same_v<T, Text>) own();
  }
  Column finish(const std::vector<uint32_t>& groups) override {
    Writable out(type_.storage, static_cast<int64_t>(groups.size()));
    for (size_t i = 0; i < groups.size(); ++i) {
      const auto& s = this->states_[groups[i]];
      out.template as<T>()[i] = s.value;
      if (!s.missing) continue;
      if constexpr (std::is_floating_point_v<T>) out.template as<T>()[i] = std::numeric_limits<T>::quiet_NaN();
      else if constexpr (!std::is_same_v<T, Text>) out.valid()[i] = 0;
    }
    return own_text(std::move(out).finish());
  }
  int64_t bytes() const override { return States<FirstValue<T>>::bytes() + text_bytes_; }
  void encode(Encoder& out, size_t groups) const override {
    if constexpr (std::is_same_v<T, Text>)
      for (size_t g = 1; g <= groups; ++g)
        out << this->states_[g].count << this->states_[g].missing
            << std::string_view(this->states_[g].value.data ? this->states_[g].value.view() : std::string_view());
    else encode_states(out, this->states_, groups);
  }
  void decode(base::Decoder& in, size_t groups) override {
    if constexpr (std::is_same_v<T, Text>) {
      for (size_t g = 1; g <= groups; ++g) {
        auto& s = this->states_.at(g);
        s.count = in.get<int64_t>(), s.missing = in.get<int64_t>();
        const auto bytes = in.get<std::string_view>();
        if (s.count && !s.missing) s.value = copy({bytes.data(), static_cast<int64_t>(bytes.size())});
      }
    } else {
      decode_states(in, this->states_, groups);
    }
  }

 private:
  void offer(uint32_t g, T v, int64_t missing) {
    auto& s = this->states_[g];
    if (s.count) return;
    s.value = v, s.missing = missing, s.count = 1;
    if constexpr (std::is_same_v<T, Text>) fresh_.push_back(g);
  }
  Text copy(Text t) {
    static const char empty = 0;
    if (!t.size) return {&empty, 0};
    auto bytes = std::make_shared<std::string>(t.view());
    keeps_.push_back(bytes), text_bytes_ += static_cast<int64_t>(sizeof(std::string)) + t.size;
    return {bytes->data(), t.size};
  }
  // New texts get memory of their own, all in one block.
  void own() {
    if constexpr (std::is_same_v<T, Text>) {
      int64_t size = 0;
      for (uint32_t g : fresh_) size += this->states_[g].value.size;
      auto block = allocate(size + 1);
      char* to = block.get();
      for (uint32_t g : fresh_) {
        Text& t = this->states_[g].value;
        if (!t.data) continue;
        if (t.size) std::memcpy(to, t.data, static_cast<size_t>(t.size));
        t.data = to, to += t.size;
      }
      if (!fresh_.empty()) keeps_.push_back(block), text_bytes_ += size;
      fresh_.clear();
    }
  }
  DType type_;
  std::vector<uint32_t> fresh_;
  std::vector<Keep> keeps_;
  int64_t text_bytes_ = 0;
};

template <class T>
struct Extreme {
  T value{};
  int64_t count = 0, missing = 0;
};

template <class T>
class PickOne : public Aggregate {
 public:
  PickOne(Pick pick, DType type, AggregateOptions o) : pick_(pick), type_(type), o_(o) {}
  void grow(uint32_t groups) override {
    if (states_.size() <= groups) states_.resize(groups + 1);
  }
  void add(const uint32_t* groups, const Column& c, int64_t rows) override {
    if constexpr (std::is_same_v<T, double>)
      if (!groups && !c.constant && (pick_ == Pick::min || pick_ == Pick::max)) {
        const BlockExtremes block = extremes_of(c.as<double>(), rows);
        states_[1].missing += rows - block.count;
        if (block.count) offer(states_[1], pick_ == Pick::min ? block.min : block.max), states_[1].count += block.count - 1;
        return;
      }
    if constexpr (std::is_integral_v<T>)
      if (!groups && !c.constant && !c.valid && rows && (pick_ == Pick::min || pick_ == Pick::max)) {
        T low = c.as<T>()[0], high = low;
        for (int64_t i = 1; i < rows; ++i) low = std::min(low, c.as<T>()[i]), high = std::max(high, c.as<T>()[i]);
        offer(states_[1], pick_ == Pick::min ? low : high), states_[1].count += rows - 1;
        return;
      }
    if constexpr (!std::is_same_v<T, Text>) {
      if (pick_ == Pick::min) return add_extreme(groups, c, rows, [](T v, T than) { return v < than; });
      if (pick_ == Pick::max) return add_extreme(groups, c, rows, [](T v, T than) { return v > than; });
    }
    each_row<T>(groups, c, rows, [this](uint32_t g, T v) { offer(states_[g], v); }, [this](uint32_t g) { ++states_[g].missing; });
  }
  void merge(Aggregate& later, Groups from, Groups to) override {
    auto& other = static_cast<PickOne&>(later).states_;
    for (size_t i = 0; i < from.size(); ++i) {
      const auto& o = other[from[i]];
      if (o.count) offer(states_[to[i]], o.value), states_[to[i]].count += o.count - 1;
      states_[to[i]].missing += o.missing;
    }
  }
  Column finish(const std::vector<uint32_t>& groups) override {
    Writable out(type_.storage, static_cast<int64_t>(groups.size()));
    for (size_t i = 0; i < groups.size(); ++i) {
      const auto& s = states_[groups[i]];
      const bool gone = !s.count || (!o_.skipna && s.missing) || s.count < o_.min_count;
      out.template as<T>()[i] = gone ? T{} : s.value;
      if constexpr (std::is_floating_point_v<T>) { if (gone) out.template as<T>()[i] = std::numeric_limits<T>::quiet_NaN(); }
      else if constexpr (!std::is_same_v<T, Text>) { if (gone) out.valid()[i] = 0; }
    }
    return own_text(std::move(out).finish());
  }
  int64_t bytes() const override { return static_cast<int64_t>(states_.capacity() * sizeof(Extreme<T>)) + text_bytes_; }
  void encode(Encoder& out, size_t groups) const override {
    if constexpr (std::is_same_v<T, Text>) {
      for (size_t g = 1; g <= groups; ++g)
        out << states_[g].count << states_[g].missing << std::string_view(states_[g].value.data ? states_[g].value.view() : std::string_view());
    } else {
      encode_states(out, states_, groups);
    }
  }
  void decode(base::Decoder& in, size_t groups) override {
    if constexpr (std::is_same_v<T, Text>) {
      for (size_t g = 1; g <= groups; ++g) {
        auto& s = states_.at(g);
        s.count = in.get<int64_t>(), s.missing = in.get<int64_t>();
        const auto& copy = kept(in.get<std::string_view>());
        if (s.count) s.value = {copy.data(), static_cast<int64_t>(copy.size())};
      }
    } else {
      decode_states(in, states_, groups);
    }
  }

 private:
  template <class Better>
  void add_extreme(const uint32_t* groups, const Column& c, int64_t rows, Better better) {
    auto* states = states_.data();
    const auto offered = [=](uint32_t g, T v) {
      Extreme<T>& s = states[g];
      s.value = !s.count || better(v, s.value) ? v : s.value;
      ++s.count;
    };
    each_row<T>(groups, c, rows, offered, [=](uint32_t g) { ++states[g].missing; });
  }
  void offer(Extreme<T>& s, T v) {
    bool better = !s.count || pick_ == Pick::last;
    if (!better && pick_ != Pick::first) {
      if constexpr (std::is_same_v<T, Text>) better = pick_ == Pick::min ? v.view() < s.value.view() : v.view() > s.value.view();
      else better = pick_ == Pick::min ? v < s.value : v > s.value;
    }
    ++s.count;
    if (!better) return;
    if constexpr (std::is_same_v<T, Text>) {
      v.data = kept(v.view()).data();
      if (texts_.size() > 65536 + 2 * states_.size()) compact(s, v);
    }
    s.value = v;
  }
  const std::string& kept(std::string_view text) {
    text_bytes_ += static_cast<int64_t>(sizeof(std::string) + text.size());
    return texts_.emplace_back(text);
  }
  // Drops the texts that lost.
  void compact(Extreme<T>& being_set, Text& value) {
    if constexpr (std::is_same_v<T, Text>) {
      const std::deque<std::string> all = std::move(texts_);
      texts_.clear(), text_bytes_ = 0;
      for (auto& s : states_)
        if (s.count && &s != &being_set && s.value.data) s.value.data = kept(s.value.view()).data();
      value.data = kept(value.view()).data();
    }
  }
  Pick pick_;
  DType type_;
  AggregateOptions o_;
  std::vector<Extreme<T>> states_ = std::vector<Extreme<T>>(2);
  std::deque<std::string> texts_;
  int64_t text_bytes_ = 0;
};
}  // namespace

std::unique_ptr<Aggregate> picked_aggregate(Pick pick, DType type, const AggregateOptions& o) {
  return visit(type.storage, [&](auto tag) -> std::unique_ptr<Aggregate> { return std::make_unique<PickOne<typename decltype(tag)::type>>(pick, type, o); });
}

std::unique_ptr<Aggregate> first_row_aggregate(DType type) {
  return visit(type.storage, [&](auto tag) -> std::unique_ptr<Aggregate> { return std::make_unique<FirstRow<typename decltype(tag)::type>>(type); });
}

}  // namespace muster::kernels
