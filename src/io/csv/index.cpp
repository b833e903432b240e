// Idea: bit masks per 64 bytes, flattened to positions: Langdale & Lemire (2019), "Parsing Gigabytes of JSON per Second", VLDB Journal 28.
#include "io/csv/index.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "io/csv/index.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#ifndef MUSTER_CSV_BIT_POSITIONS
#define MUSTER_CSV_BIT_POSITIONS
namespace muster::io::csv {
// For each byte the positions of its set bits, lowest first.
struct BitPositions {
  alignas(64) uint8_t at[256][8] = {};
  constexpr BitPositions() {
    for (int byte = 0; byte < 256; ++byte)
      for (int bit = 0, n = 0; bit < 8; ++bit)
        if (byte >> bit & 1) at[byte][n++] = static_cast<uint8_t>(bit);
  }
};
inline constexpr BitPositions kBitPositions;
}  // namespace muster::io::csv
#endif

HWY_BEFORE_NAMESPACE();
namespace muster::io::csv {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

struct Masks {
  uint64_t separator, newline;
  bool special;  // some quote, '\r' or byte beyond ASCII: the rest has to be looked at
  uint64_t quote, carriage, high;
};

// A mask as bits. Through memory (StoreMaskBits) it would cost a failed store forwarding a vector.
template <class M>
HWY_INLINE uint64_t bits_of(M mask) {
#if HWY_TARGET == HWY_SCALAR
  uint8_t bits = 0;
  hn::StoreMaskBits(hn::CappedTag<uint8_t, 64>(), mask, &bits);
  return bits & 1;
#elif HWY_TARGET <= HWY_AVX3
  return static_cast<uint64_t>(mask.raw);
#elif HWY_TARGET == HWY_AVX2
  return static_cast<uint32_t>(_mm256_movemask_epi8(mask.raw));
#else
  return static_cast<uint32_t>(_mm_movemask_epi8(mask.raw));
#endif
}

HWY_INLINE Masks masks_of(const uint8_t* p, uint8_t separator, uint8_t quote) {
  const hn::CappedTag<uint8_t, 64> d;
  constexpr size_t lanes = hn::MaxLanes(d);
  const auto quotes = hn::Set(d, quote), carriages = hn::Set(d, uint8_t{'\r'}), highs = hn::Set(d, uint8_t{128});
  Masks m{};
  auto special = hn::Zero(d);
  for (size_t i = 0; i < 64; i += lanes) {
    const auto v = hn::LoadU(d, p + i);
    m.separator |= bits_of(hn::Eq(v, hn::Set(d, separator))) << i;
    m.newline |= bits_of(hn::Eq(v, hn::Set(d, uint8_t{'\n'}))) << i;
    special = hn::Or(special, hn::Or(hn::Or(hn::VecFromMask(d, hn::Eq(v, quotes)), hn::VecFromMask(d, hn::Eq(v, carriages))), hn::And(v, highs)));
  }
  m.special = !hn::AllFalse(d, hn::TestBit(special, highs));
  if (HWY_UNLIKELY(m.special))
    for (size_t i = 0; i < 64; i += lanes) {
      const auto v = hn::LoadU(d, p + i);
      m.quote |= bits_of(hn::Eq(v, quotes)) << i;
      m.carriage |= bits_of(hn::Eq(v, carriages)) << i;
      m.high |= bits_of(hn::TestBit(v, highs)) << i;
    }
  return m;
}

// Writes the positions of the set bits. More is written than counted: `positions` has room to spare and the next word overwrites.
HWY_INLINE uint32_t* flatten(uint64_t m, uint32_t base, uint32_t* to) {
#if HWY_TARGET != HWY_SCALAR && HWY_TARGET <= HWY_AVX2
  // Eight bits at a time by table, without a branch: the bits of a byte as positions, widened and added to where the byte stands.
  for (int byte = 0; byte < 8; ++byte) {
    const auto bits = static_cast<uint8_t>(m >> (8 * byte));
    const __m128i at = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(kBitPositions.at[bits]));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_add_epi32(_mm256_cvtepu8_epi32(at), _mm256_set1_epi32(static_cast<int>(base) + 8 * byte)));
    to += __builtin_popcount(bits);
  }
  return to;
#else
  for (; m; m &= m - 1) *to++ = base + static_cast<uint32_t>(__builtin_ctzll(m));
  return to;
#endif
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
