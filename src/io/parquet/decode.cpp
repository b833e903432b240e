// Encodings as Encodings.md of apache/parquet-format describes them.
#include "io/parquet/decode.hpp"

#include <cmath>
#include <vector>

#include "base/copy.hpp"
#include "base/error.hpp"
#include "data/dispatch.hpp"
#include "io/parquet/rle.hpp"

namespace muster::io::parquet {
using namespace base;
using namespace data;
namespace {

struct Int96 {
  uint32_t low, middle, day;  // nanoseconds of the day (low, middle), Julian day
};

constexpr int64_t kJulianEpoch = 2'440'588, kDay = 86'400'000'000'000;

// DELTA_BINARY_PACKED: all numbers of a page. Returns the bytes read.
template <class T>
size_t delta_numbers(std::string_view bytes, int64_t at_most, std::vector<T>& out) {
  Compact in(bytes);
  const auto block = static_cast<int64_t>(in.varint()), minis = static_cast<int64_t>(in.varint()), count = static_cast<int64_t>(in.varint());
  auto value = static_cast<uint64_t>(in.integer());
  if (minis <= 0 || block <= 0 || block > (1 << 24) || block % minis || block / minis % 8 || count < 0 || count > at_most)
    corrupt("a page of differences does not fit");
  const int64_t each = block / minis;
  out.clear();
  out.reserve(static_cast<size_t>(count));
  if (count) out.push_back(static_cast<T>(value));
  std::vector<uint64_t> deltas(static_cast<size_t>(each));
  while (static_cast<int64_t>(out.size()) < count) {
    const auto least = static_cast<uint64_t>(in.integer());
    std::vector<uint8_t> widths(static_cast<size_t>(minis));
    for (auto& w : widths) w = in.byte();
    for (int64_t m = 0; m < minis && static_cast<int64_t>(out.size()) < count; ++m) {
      const int bits = widths[static_cast<size_t>(m)];
      if (bits > 64) corrupt("differences of more than 64 bits");
      const auto at = static_cast<size_t>(in.position());
      const auto need = static_cast<size_t>(each * bits / 8);
      if (need > bytes.size() - at) corrupt("a page of differences ends early");
      unpack(bytes.data() + at, 0, bits ? bits : 1, bits ? each : 0, deltas.data());
      if (!bits) std::fill(deltas.begin(), deltas.end(), 0);
      for (int64_t i = 0; i < each && static_cast<int64_t>(out.size()) < count; ++i)
        value += least + deltas[static_cast<size_t>(i)], out.push_back(static_cast<T>(value));
      for (size_t i = 0; i < need; ++i) in.byte();
    }
  }
  return static_cast<size_t>(in.position());
}

// Values of physical type P in the pages of one chunk.
template <class P>
class Values {
 public:
  Values(const std::string& path, const std::string& options, const Leaf& leaf, const Chunk& chunk)
      : pages_(path, options, chunk, leaf.optional), optional_(leaf.optional) {}

  /// Values that are there go to `to`, in place; `valid` gets a 0 for each that is not. Returns how many are missing.
  int64_t read(P* to, uint8_t* valid, uint32_t* codes, int64_t rows, std::vector<Keep>& keeps) {
    int64_t missing = 0;
    for (int64_t done = 0; done < rows;) {
      if (!left_) load();
      if (keeps.empty() || keeps.back() != page_.keep) keeps.push_back(page_.keep);
      const int64_t n = std::min(rows - done, left_);
      uint32_t* at_codes = codes ? codes + done : nullptr;
      if (!levels_there_) {
        take(to + done, at_codes, n);
        std::memset(valid + done, 1, static_cast<size_t>(n));
      } else {
        missing += read_levels(to + done, valid + done, at_codes, n);
      }
      done += n, left_ -= n;
    }
    return missing;
  }
  /// The next values where they lie in their page, or null: where all are there, one after the other.
  const P* in_place(int64_t rows) {
    if constexpr (!std::is_arithmetic_v<P> || sizeof(P) == 1) return nullptr;
    if (!left_) load();
    const auto bytes = static_cast<size_t>(rows) * sizeof(P);
    if (codes_ || whole_ || left_ < rows || bytes > plain_.size() || reinterpret_cast<uintptr_t>(plain_.data()) % alignof(P)) return nullptr;
    if (levels_there_ && !levels_.passes(rows, 1)) return nullptr;
    const auto* at = reinterpret_cast<const P*>(plain_.data());
    plain_.remove_prefix(bytes), left_ -= rows;
    return at;
  }
  const Keep& page_keep() const { return page_.keep; }
  const std::vector<P>& dictionary() const { return dictionary_; }
  const Keep& dictionary_keep() const { return dictionary_keep_; }
  /// True while every page so far was of dictionary codes.
  bool coded() const { return coded_; }
  bool peek() {
    if (!left_) load();
    return coded_;
  }
  int64_t in_page() const { return left_; }

 private:
  int64_t read_levels(P* to, uint8_t* valid, uint32_t* codes, int64_t n) {
    int64_t missing = 0;
    for (int64_t done = 0; done < n;) {
      uint32_t level = 0;
      if (const int64_t run = levels_.run(n - done, level)) {
        std::memset(valid + done, level ? 1 : 0, static_cast<size_t>(run));
        if (level) take(to + done, codes ? codes + done : nullptr, run);
        else missing += run, none(to + done, codes ? codes + done : nullptr, run);
        done += run;
        continue;
      }
      const int64_t packed = levels_.packed(n - done), present = levels_.flags(valid + done, packed);
      if constexpr (std::is_arithmetic_v<P> && sizeof(P) > 1) {
        if (!codes_ && !whole_) {
          take_plain(to + done, valid + done, packed, present);
          missing += packed - present, done += packed;
          continue;
        }
      }
      // The values that are there come one after the other: from the last to the first each moves to its row.
      take(to + done, codes ? codes + done : nullptr, present);
      for (int64_t i = packed - 1, from = present - 1; i >= 0; --i) {
        if (valid[done + i]) {
          to[done + i] = to[done + from];
          if (codes) codes[done + i] = codes[done + from];
          --from;
        } else {
          none(to + done + i, codes ? codes + done + i : nullptr, 1);
        }
      }
      missing += packed - present, done += packed;
    }
    return missing;
  }
  void none(P* to, uint32_t* codes, int64_t n) {
    std::fill_n(to, n, kMissing);
    if (codes) std::fill_n(codes, n, static_cast<uint32_t>(dictionary_.size()));
  }

  void load() {
    for (;;) {
      if (!pages_.next(page_)) corrupt("a column has fewer values than rows");
      if (!page_.dictionary) break;
      if (page_.encoding != Encoding::plain && page_.encoding != Encoding::plain_dictionary) corrupt("a dictionary in an unknown encoding");
      begin_plain(page_.data);
      if (page_.values > static_cast<int64_t>(page_.data.size()) * 8) corrupt("a dictionary with more values than bytes");
      dictionary_.assign(static_cast<size_t>(page_.values), P{});
      take_plain(dictionary_.data(), page_.values);
      dictionary_keep_ = page_.keep;
    }
    left_ = page_.values;
    levels_there_ = optional_;
    if (optional_) levels_ = RleReader(page_.levels.data(), page_.levels.data() + page_.levels.size(), 1);
    codes_ = false, decoded_at_ = 0, whole_ = false;
    switch (page_.encoding) {
      case Encoding::plain: begin_plain(page_.data); break;
      case Encoding::plain_dictionary: case Encoding::rle_dictionary: {
        codes_ = true;
        if (page_.data.empty()) {  // all values are missing
          indices_ = RleReader();
          break;
        }
        const int bits = static_cast<uint8_t>(page_.data[0]);
        indices_ = RleReader(page_.data.data() + 1, page_.data.data() + page_.data.size(), bits);
        break;
      }
      default: decode_whole(); whole_ = true;
    }
    coded_ &= codes_;
  }

  void take(P* to, uint32_t* codes, int64_t n) {
    if (n == 0) return;
    if (whole_) {
      if (n > static_cast<int64_t>(decoded_.size()) - decoded_at_) corrupt("a page has fewer values than it says");
      std::copy_n(decoded_.begin() + decoded_at_, n, to);
      decoded_at_ += n;
    } else if (codes_) {
      if (!codes) numbers2_.resize(static_cast<size_t>(n)), codes = numbers2_.data();
      indices_.read(codes, n);
      uint32_t most = 0;
      for (int64_t i = 0; i < n; ++i) most = std::max(most, codes[i]);
      if (most >= dictionary_.size()) corrupt("a code beyond the dictionary");
      const P* words = dictionary_.data();
      for (int64_t i = 0; i < n; ++i) to[i] = words[codes[i]];
    } else {
      take_plain(to, n);
    }
  }

  // Numbers of which `present` are there, each to its row.
  void take_plain(P* to, const uint8_t* valid, int64_t rows, int64_t present) {
    const auto bytes = static_cast<size_t>(present) * sizeof(P);
    if (bytes > plain_.size()) corrupt("a page of numbers ends early");
    const char* from = plain_.data();
    for (int64_t i = 0; i < rows; ++i) {
      P value;
      std::memcpy(&value, from, sizeof(P));  // behind the last one there are bytes to read
      to[i] = valid[i] ? value : kMissing;
      from += valid[i] * sizeof(P);
    }
    plain_.remove_prefix(bytes);
  }

  void begin_plain(std::string_view bytes) { plain_ = bytes, bit_ = 0; }
  void take_plain(P* to, int64_t n) {
    if (n == 0) return;
    if constexpr (std::is_same_v<P, Text>) {
      const char *at = plain_.data(), *end = at + plain_.size();
      for (int64_t i = 0; i < n; ++i) {
        uint32_t size;
        if (end - at < 4) corrupt("a page of texts ends early");
        std::memcpy(&size, at, 4);
        at += 4;
        if (size > end - at) corrupt("a text reaches beyond its page");
        to[i] = {at, static_cast<int64_t>(size)};
        at += size;
      }
      plain_ = {at, static_cast<size_t>(end - at)};
    } else if constexpr (std::is_same_v<P, uint8_t>) {  // bool: a bit each
      if (bit_ + n > static_cast<int64_t>(plain_.size()) * 8) corrupt("a page of bools ends early");
      unpack(plain_.data(), bit_, 1, n, to);
      bit_ += n;
    } else {
      const auto bytes = static_cast<size_t>(n) * sizeof(P);
      if (bytes > plain_.size()) corrupt("a page of numbers ends early");
      copy_bytes(to, plain_.data(), static_cast<int64_t>(bytes));
      plain_.remove_prefix(bytes);
    }
  }

  // Encodings that are decoded a page at a time.
  void decode_whole() {
    const auto bytes = page_.data;
    const int64_t n = page_.values;
    if constexpr (std::is_same_v<P, int32_t> || std::is_same_v<P, int64_t>) {
      if (page_.encoding == Encoding::delta_binary_packed) return void(delta_numbers(bytes, n, decoded_));
    }
    if constexpr (std::is_same_v<P, uint8_t>) {
      if (page_.encoding == Encoding::rle && bytes.size() >= 4) {
        RleReader bits(bytes.data() + 4, bytes.data() + bytes.size(), 1);
        // Of values that are missing nothing is stored: as many as there are are read, one by one run.
        int64_t present = n;
        if (optional_) {
          RleReader levels(page_.levels.data(), page_.levels.data() + page_.levels.size(), 1);
          numbers_.resize(static_cast<size_t>(n));
          levels.read(numbers_.data(), n);
          present = std::count(numbers_.begin(), numbers_.end(), 1u);
        }
        numbers_.resize(static_cast<size_t>(present));
        bits.read(numbers_.data(), present);
        decoded_.assign(numbers_.begin(), numbers_.end());
        return;
      }
    }
    if constexpr (std::is_same_v<P, Text>) {
      if (page_.encoding == Encoding::delta_length_byte_array) {
        std::vector<int32_t> sizes;
        size_t at = delta_numbers(bytes, n, sizes);
        decoded_.clear();
        for (int32_t size : sizes) {
          if (size < 0 || static_cast<size_t>(size) > bytes.size() - at) corrupt("a text reaches beyond its page");
          decoded_.push_back({bytes.data() + at, size});
          at += static_cast<size_t>(size);
        }
        return;
      }
      if (page_.encoding == Encoding::delta_byte_array) {
        std::vector<int32_t> shared, sizes;
        size_t at = delta_numbers(bytes, n, shared);
        at += delta_numbers(bytes.substr(at), n, sizes);
        if (shared.size() != sizes.size()) corrupt("a page of texts with as many beginnings as ends");
        int64_t total = 0;
        for (size_t i = 0; i < sizes.size(); ++i) total += std::max(0, shared[i]) + std::max(0, sizes[i]);
        if (total > (int64_t{1} << 33)) corrupt("a page of texts that is too large");
        auto memory = allocate(total);
        char* to = memory.get();
        Text before{to, 0};
        decoded_.clear();
        for (size_t i = 0; i < sizes.size(); ++i) {
          if (shared[i] < 0 || shared[i] > before.size || sizes[i] < 0 || static_cast<size_t>(sizes[i]) > bytes.size() - at)
            corrupt("a text reaches beyond its page");
          std::memcpy(to, before.data, static_cast<size_t>(shared[i]));
          std::memcpy(to + shared[i], bytes.data() + at, static_cast<size_t>(sizes[i]));
          at += static_cast<size_t>(sizes[i]);
          before = {to, shared[i] + sizes[i]};
          decoded_.push_back(before);
          to += before.size;
        }
        page_.keep = keep_both(page_.keep, memory);
        return;
      }
    } else if constexpr (!std::is_same_v<P, Int96> && !std::is_same_v<P, uint8_t>) {
      if (page_.encoding == Encoding::byte_stream_split) {
        const size_t count = bytes.size() / sizeof(P);
        decoded_.resize(count);
        auto* to = reinterpret_cast<char*>(decoded_.data());
        for (size_t k = 0; k < sizeof(P); ++k)
          for (size_t i = 0; i < count; ++i) to[i * sizeof(P) + k] = bytes[k * count + i];
        return;
      }
    }
    throw unsupported("Parquet encoding number ", static_cast<int>(page_.encoding), " of this type");
  }

  static constexpr P kMissing = [] {
    if constexpr (std::is_floating_point_v<P>) return std::numeric_limits<P>::quiet_NaN();
    else return P{};
  }();
  PageReader pages_;
  bool optional_;
  Page page_;
  std::vector<P> dictionary_;
  Keep dictionary_keep_;
  int64_t left_ = 0;
  bool levels_there_ = false, codes_ = false, whole_ = false, coded_ = true;
  RleReader levels_, indices_;
  std::string_view plain_;
  int64_t bit_ = 0, decoded_at_ = 0;
  std::vector<P> decoded_;
  std::vector<uint32_t> numbers_, numbers2_;
};

// Numbers, times and bools: the physical values as the wanted storage.
template <class P>
class NumberDecoder : public Decoder {
 public:
  NumberDecoder(const std::string& path, const std::string& options, const Leaf& leaf, const Chunk& chunk, DType type)
      : values_(path, options, leaf, chunk), type_(type), unsigned_(leaf.type && leaf.type->is_integer() && !leaf.type->is_signed()) {}
  Column read(int64_t rows) override {
    if (rows && is_as_stored())
      if (const P* at = values_.in_place(rows)) {
        Column c;
        c.storage = type_.storage, c.length = rows, c.values = at, c.keep = values_.page_keep();
        return c;
      }
    valid_.resize(static_cast<size_t>(rows));
    keeps_.clear();
    Writable out(type_.storage, rows);
    int64_t missing = 0;
    visit_fixed(type_.storage, [&](auto tag) {
      using T = typename decltype(tag)::type;
      if constexpr (std::is_same_v<T, P>) {
        missing = values_.read(out.as<T>(), valid_.data(), nullptr, rows, keeps_);
      } else {
        raw_.resize(static_cast<size_t>(rows));
        missing = values_.read(raw_.data(), valid_.data(), nullptr, rows, keeps_);
        T* to = out.as<T>();
        for (int64_t i = 0; i < rows; ++i) {
          if constexpr (std::is_same_v<P, Int96>) {
            const Int96& v = raw_[static_cast<size_t>(i)];
            constexpr int64_t kDays = std::numeric_limits<int64_t>::max() / kDay;
            if (valid_[static_cast<size_t>(i)] && std::abs(static_cast<int64_t>(v.day) - kJulianEpoch) >= kDays)
              throw unsupported("a time (int96) that nanoseconds cannot hold, before 1677-09-22 or after 2262-04-10; write it as microseconds");
            const uint64_t of_day = static_cast<uint64_t>(v.middle) << 32 | v.low;
            to[i] = static_cast<T>(static_cast<uint64_t>((static_cast<int64_t>(v.day) - kJulianEpoch)) * static_cast<uint64_t>(kDay) + of_day);
          } else if constexpr (std::is_integral_v<P>) {
            to[i] =
                unsigned_ ? static_cast<T>(static_cast<std::make_unsigned_t<P>>(raw_[static_cast<size_t>(i)])) : static_cast<T>(raw_[static_cast<size_t>(i)]);
          } else {
            to[i] = static_cast<T>(raw_[static_cast<size_t>(i)]);
          }
        }
      }
      if (missing) {
        if constexpr (std::is_same_v<T, P> && std::is_floating_point_v<T>) {  // stand there as NaN
        } else if constexpr (std::is_floating_point_v<T>) {
          for (int64_t i = 0; i < rows; ++i)
            if (!valid_[static_cast<size_t>(i)]) out.as<T>()[i] = std::numeric_limits<T>::quiet_NaN();
        } else {
          std::memcpy(out.valid(), valid_.data(), static_cast<size_t>(rows));
        }
      }
    });
    return std::move(out).finish();
  }

 private:
  bool is_as_stored() const {
    return visit_fixed(type_.storage, [](auto tag) { return std::is_same_v<typename decltype(tag)::type, P>; });
  }
  Values<P> values_;
  DType type_;
  bool unsigned_;
  std::vector<P> raw_;
  std::vector<uint8_t> valid_;
  std::vector<Keep> keeps_;
};

class TextDecoder : public Decoder {
 public:
  TextDecoder(const std::string& path, const std::string& options, const Leaf& leaf, const Chunk& chunk) : values_(path, options, leaf, chunk) {}
  Column read(int64_t rows) override {
    valid_.resize(static_cast<size_t>(rows));
    std::vector<Keep> keeps;
    Writable out(Storage::text, rows);
    auto codes = rows ? allocate(rows * 4) : nullptr;
    values_.read(out.as<Text>(), valid_.data(), reinterpret_cast<uint32_t*>(codes.get()), rows, keeps);
    keeps.push_back(values_.dictionary_keep());
    auto held = std::make_shared<std::vector<Keep>>(std::move(keeps));
    Column c = std::move(out).finish(held);
    c.text_kept = true;
    if (!rows || !values_.coded()) return c;
    if (!dictionary_) dictionary_ = std::make_shared<const Dictionary>(Dictionary{values_.dictionary(), values_.dictionary_keep()});
    c.codes = reinterpret_cast<const uint32_t*>(codes.get()), c.dictionary = dictionary_;
    c.keep = keep_both(c.keep, codes);
    return c;
  }

 private:
  Values<Text> values_;
  std::vector<uint8_t> valid_;
  std::shared_ptr<const Dictionary> dictionary_;
};
// A column of which a file knows no more than that its values are missing.
class NullDecoder : public Decoder {
 public:
  explicit NullDecoder(DType type) : type_(type) {}
  Column read(int64_t rows) override { return spread(constant_of({}, type_), rows); }

 private:
  DType type_;
};
}  // namespace

std::unique_ptr<Decoder> missing_values(DType type) { return std::make_unique<NullDecoder>(type); }

std::unique_ptr<Decoder> make_decoder(const std::string& path, const std::string& options, const Leaf& leaf, const Chunk& chunk, DType type) {
  if (leaf.about == "null") return missing_values(type);
  switch (leaf.physical) {
    case Physical::boolean: return std::make_unique<NumberDecoder<uint8_t>>(path, options, leaf, chunk, type);
    case Physical::int32: return std::make_unique<NumberDecoder<int32_t>>(path, options, leaf, chunk, type);
    case Physical::int64: return std::make_unique<NumberDecoder<int64_t>>(path, options, leaf, chunk, type);
    case Physical::int96: return std::make_unique<NumberDecoder<Int96>>(path, options, leaf, chunk, type);
    case Physical::float32: return std::make_unique<NumberDecoder<float>>(path, options, leaf, chunk, type);
    case Physical::float64: return std::make_unique<NumberDecoder<double>>(path, options, leaf, chunk, type);
    case Physical::bytes: return std::make_unique<TextDecoder>(path, options, leaf, chunk);
    case Physical::fixed: break;
  }
  throw internal("no decoder for ", leaf.about);
}

}  // namespace muster::io::parquet
