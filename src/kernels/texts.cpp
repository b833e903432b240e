// What was made of a dictionary is remembered by thread, without keeping the dictionary alive. An error of a text stops nothing here: the text may stand in
// no row, so the rows are then asked one by one.
#include "kernels/texts.hpp"

#include <array>
#include <atomic>

#include "base/error.hpp"
#include "data/dispatch.hpp"
#include "muster/error.hpp"

namespace muster::kernels {
using namespace data;

Keep memo(const std::shared_ptr<const Dictionary>& dictionary, uint64_t number, const std::function<Keep()>& make) {
  struct Memo {
    std::weak_ptr<const Dictionary> of;
    uint64_t number = 0;
    Keep made;
  };
  thread_local std::array<Memo, 8> memos;
  thread_local size_t oldest = 0;
  for (auto& m : memos) {
    if (m.number == number && m.of.lock() == dictionary) return m.made;
    if (m.made && m.of.expired()) m = {};
  }
  Keep made = make();
  if (made) memos[oldest] = {dictionary, number, made}, oldest = (oldest + 1) % memos.size();
  return made;
}

namespace {

// What a map makes of a dictionary's texts and, behind them, of a missing one.
struct OfDictionary {
  Column made;
  std::shared_ptr<const Dictionary> dictionary;  // of texts
  std::vector<uint32_t> codes;                   // in it, by the code given; empty: the same
};

Keep of_dictionary(const Map& map, Task& task, const Column& c) {
  const auto& texts = c.dictionary->texts;
  const auto n = static_cast<int64_t>(texts.size());
  Writable all(Storage::text, n + 1);
  std::copy(texts.begin(), texts.end(), all.as<Text>());
  all.as<Text>()[n] = {};
  Column in = std::move(all).finish(c.dictionary);
  in.text_kept = c.text_kept;
  auto out = std::make_shared<OfDictionary>();
  try {
    map(task, {&in, 1}, n + 1, {&out->made, 1});
  } catch (const muster::Error&) {
    return nullptr;  // of a text that may stand in no row
  }
  if (out->made.storage != Storage::text) return out;
  out->made = own_text(out->made);
  const Text* made = out->made.as<Text>();
  const int64_t texts_made = made[n].data ? n + 1 : n;  // a missing one may become a text, and the other way round
  out->dictionary = std::make_shared<const Dictionary>(Dictionary{{made, made + texts_made}, out->made.text_keep()});
  for (int64_t i = 0; i < n; ++i) {
    if (made[i].data) continue;
    if (out->codes.empty())
      for (int64_t k = 0; k <= n; ++k) out->codes.push_back(static_cast<uint32_t>(k));
    out->codes[static_cast<size_t>(i)] = static_cast<uint32_t>(texts_made);
  }
  return out;
}

Column by_code(const OfDictionary& of, const Column& c, int64_t rows) {
  Writable w(of.made.storage, rows);
  visit(of.made.storage, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* from = of.made.as<T>();
    T* to = w.as<T>();
    for (int64_t i = 0; i < rows; ++i) to[i] = from[c.codes[i]];
  });
  if (of.made.valid)
    for (int64_t i = 0; i < rows; ++i) w.valid()[i] = of.made.valid[c.codes[i]];
  if (!of.dictionary) return std::move(w).finish();
  Column out = std::move(w).finish(of.dictionary->keep);
  out.text_kept = true, out.codes = c.codes, out.dictionary = of.dictionary;
  if (of.codes.empty()) {
    out.keep = keep_both(out.keep, c.keep);
  } else {
    auto codes = allocate(rows * 4);
    auto* to = reinterpret_cast<uint32_t*>(codes.get());
    for (int64_t i = 0; i < rows; ++i) to[i] = of.codes[c.codes[i]];
    out.codes = to, out.keep = keep_both(out.keep, codes);
  }
  return out;
}
}  // namespace

std::function<Map(const Args&)> of_distinct_texts(std::function<Map(const Args&)> kernel) {
  return [kernel = std::move(kernel)](const Args& args) -> Map {
    return [map = kernel(args), number = new_memo()](Task& task, Columns in, int64_t rows, std::span<Column> out) {
      const Column& c = in[0];
      const bool worthwhile = c.codes && !c.constant && static_cast<int64_t>(c.dictionary->texts.size()) <= kWorthwhile * rows;
      const Keep known = worthwhile ? memo(c.dictionary, number, [&] { return of_dictionary(map, task, c); }) : nullptr;
      if (!known) return map(task, in, rows, out);
      out[0] = by_code(*static_cast<const OfDictionary*>(known.get()), c, rows);
      return rows;
    };
  };
}

uint64_t new_memo() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

}  // namespace muster::kernels
