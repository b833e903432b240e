// Idea: bit masks per 64 bytes, positions by count-trailing-zeros: Langdale & Lemire (2019), "Parsing Gigabytes of JSON per Second", VLDB Journal 28.
#include "io/csv/index.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "io/csv/index.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace muster::io::csv {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

struct Masks {
  uint64_t separator, newline, quote, carriage, high;
};

HWY_INLINE Masks masks_of(const uint8_t* p, uint8_t separator, uint8_t quote) {
  const hn::CappedTag<uint8_t, 64> d;
  constexpr size_t lanes = hn::MaxLanes(d);
  alignas(8) uint8_t bits[5][8] = {};
  for (size_t i = 0; i < 64; i += lanes) {
    const auto v = hn::LoadU(d, p + i);
    hn::StoreMaskBits(d, hn::Eq(v, hn::Set(d, separator)), bits[0] + i / 8);
    hn::StoreMaskBits(d, hn::Eq(v, hn::Set(d, uint8_t{'\n'})), bits[1] + i / 8);
    hn::StoreMaskBits(d, hn::Eq(v, hn::Set(d, quote)), bits[2] + i / 8);
    hn::StoreMaskBits(d, hn::Eq(v, hn::Set(d, uint8_t{'\r'})), bits[3] + i / 8);
    hn::StoreMaskBits(d, hn::TestBit(v, hn::Set(d, uint8_t{128})), bits[4] + i / 8);
  }
  Masks m;
  __builtin_memcpy(&m, bits, sizeof m);
  return m;
}

HWY_INLINE uint32_t* flatten(uint64_t m, uint32_t base, uint32_t* to) {
  const int count = __builtin_popcountll(m);
  uint32_t* const end = to + count;
  // Eight at a time without asking whether they exist: `positions` has room to spare and the next word overwrites.
  for (int done = 0; done < count; done += 8)
    for (int i = 0; i < 8; ++i) {
      *to++ = base + static_cast<uint32_t>(__builtin_ctzll(m | (1ull << 63)));
      m &= m - 1;
    }
  return end;
}

Index IndexBlock(const char* data, int64_t size, char separator, char quote, uint32_t* positions) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(data);
  Index out;
  uint32_t* to = positions;
  uint64_t inside = 0;                     // all ones while the bytes before this word end inside quotes
  uint64_t field_start = 1, closed = 0, returned = 0;  // facts about the byte before this word, in bit 0
  uint64_t high = 0;
  for (int64_t at = 0; at < size; at += 64) {
    Masks m = masks_of(bytes + at, static_cast<uint8_t>(separator), static_cast<uint8_t>(quote));
    const uint64_t here = size - at < 64 ? (1ull << (size - at)) - 1 : ~0ull;
    uint64_t ends = (m.separator | m.newline) & here, lines = m.newline & here;
    high |= m.high & here;
    if (HWY_UNLIKELY((m.quote && quote) || inside)) {
      const uint64_t q = quote ? m.quote & here : 0;
      uint64_t in = q;  // prefix xor: bit i = parity of the quotes up to and including i
      for (int s = 1; s < 64; s <<= 1) in ^= in << s;
      in ^= inside;
      const uint64_t opening = q & in, closing = q & ~in;
      ends &= ~in, lines &= ~in, m.carriage &= ~in;
      out.irregular |= (opening & ~((ends | closing) << 1 | field_start)) != 0;
      out.irregular |= ((closing << 1 | closed) & here & ~(ends | m.carriage | opening)) != 0;
      field_start = (ends | closing) >> 63, closed = closing >> 63;
      inside = static_cast<uint64_t>(static_cast<int64_t>(in) >> 63);
      if (here != ~0ull && size > at) inside = (in >> (size - at - 1)) & 1 ? ~0ull : 0;
      out.quotes = true;
    } else {
      if (HWY_UNLIKELY(closed)) out.irregular |= (1 & here & ~(ends | m.carriage)) != 0, closed = 0;
      field_start = ends >> 63;
    }
    const uint64_t carriage = m.carriage & here;
    if (HWY_UNLIKELY(carriage || returned)) {
      out.returns = true;
      out.irregular |= ((carriage << 1 | returned) & here & ~lines) != 0;
      returned = carriage >> 63;
    }
    out.newlines += __builtin_popcountll(lines);
    to = flatten(ends, static_cast<uint32_t>(at), to);
  }
  out.count = to - positions;
  out.open_quote = inside != 0;
  out.beyond_ascii = high != 0;
  return out;
}

}  // namespace HWY_NAMESPACE
}  // namespace muster::io::csv
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace muster::io::csv {
HWY_EXPORT(IndexBlock);
Index index_block(const char* data, int64_t size, char separator, char quote, uint32_t* positions) {
  return HWY_DYNAMIC_DISPATCH(IndexBlock)(data, size, separator, quote, positions);
}
}  // namespace muster::io::csv
#endif
