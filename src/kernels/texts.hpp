// Functions of texts, row by row. Of a column with a dictionary each distinct text is looked at once.
#pragma once
#include <algorithm>

#include "data/kernel.hpp"

namespace muster::kernels {

/// Whether texts are `wanted`: sizes and ends are compared in registers before bytes in between are.
class SameText {
 public:
  explicit SameText(std::string_view wanted) : wanted_(wanted) {
    if (size() >= 8) head_ = word<uint64_t>(wanted_.data()), tail_ = word<uint64_t>(wanted_.data() + size() - 8);
    else if (size() >= 4) head_ = word<uint32_t>(wanted_.data()), tail_ = word<uint32_t>(wanted_.data() + size() - 4);
  }
  bool operator()(data::Text t) const {
    if (t.size != size() || !t.data) return false;
    if (t.size >= 8)
      return word<uint64_t>(t.data) == head_ && word<uint64_t>(t.data + t.size - 8) == tail_ &&
             (t.size <= 16 || std::memcmp(t.data, wanted_.data(), wanted_.size()) == 0);
    if (t.size >= 4) return word<uint32_t>(t.data) == head_ && word<uint32_t>(t.data + t.size - 4) == tail_;
    for (int64_t i = 0; i < t.size; ++i)
      if (t.data[i] != wanted_[static_cast<size_t>(i)]) return false;
    return true;
  }

 private:
  template <class W>
  static W word(const char* bytes) {
    W w;
    std::memcpy(&w, bytes, sizeof w);
    return w;
  }
  int64_t size() const { return static_cast<int64_t>(wanted_.size()); }
  std::string wanted_;
  uint64_t head_ = 0, tail_ = 0;
};

/// What was made of a dictionary under this number (new_memo), or is made now; each thread remembers the last few. nullptr from `make` is not remembered.
data::Keep memo(const std::shared_ptr<const data::Dictionary>& dictionary, uint64_t number, const std::function<data::Keep()>& make);
uint64_t new_memo();
constexpr int64_t kWorthwhile = 8;  // texts of a dictionary for each row asked for, as most: the next rows ask again

/// Maps that make one column of one, row by row: of texts with a dictionary each distinct one is looked at once, and texts made of them have a dictionary too.
std::function<data::Map(const data::Args&)> of_distinct_texts(std::function<data::Map(const data::Args&)> kernel);

/// f(text) for each row that is there, `missing` for the others. Copies answer alike, and share what is known of a dictionary.
template <class T, class F>
class OfText {
 public:
  OfText(T missing, F f) : missing_(missing), f_(std::move(f)) {}
  void operator()(const data::Column& c, int64_t rows, T* out) const {
    const data::Text* texts = c.as<data::Text>();
    if (c.constant) return void(std::fill_n(out, rows, texts->data ? f_(*texts) : missing_));
    if (const auto known = c.codes ? of_codes(c.dictionary, rows) : nullptr) {
      const T* of_code = known->data();
      for (int64_t i = 0; i < rows; ++i) out[i] = of_code[c.codes[i]];
      return;
    }
    for (int64_t i = 0; i < rows; ++i) out[i] = texts[i].data ? f_(texts[i]) : missing_;
  }

 private:
  // Null where a dictionary is large for the rows asked for and nobody has asked before.
  std::shared_ptr<const std::vector<T>> of_codes(const std::shared_ptr<const data::Dictionary>& d, int64_t rows) const {
    return std::static_pointer_cast<const std::vector<T>>(memo(d, memo_, [&]() -> data::Keep {
      if (static_cast<int64_t>(d->texts.size()) > kWorthwhile * rows) return nullptr;
      auto made = std::make_shared<std::vector<T>>();
      made->reserve(d->texts.size() + 1);
      for (const auto& t : d->texts) made->push_back(t.data ? f_(t) : missing_);
      made->push_back(missing_);
      return made;
    }));
  }

  T missing_;
  F f_;
  uint64_t memo_ = new_memo();
};

}  // namespace muster::kernels
