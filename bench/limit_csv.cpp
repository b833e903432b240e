// What the machine allows: one pass over CSV bytes in which two fields a row are found and parsed, giving the mean of one by the other. No reader
// that knows quotes, types and errors can beat it by much. Usage: limit_csv GLOB KEY_COLUMN VALUE_COLUMN THREADS; prints seconds and bytes.
#include <fcntl.h>
#include <glob.h>
#include <immintrin.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {
constexpr int64_t kPiece = 1 << 20, kTail = 64 << 10;

struct Piece { int file; int64_t begin, end; };
struct Sums { double sum[256] = {}; int64_t count[256] = {}; };
struct Block { uint64_t ends, all; };  // bit i: byte i is a row end; is a row end or separator

inline Block look(const char* p) {
#ifdef __AVX512BW__
  const __m512i v = _mm512_loadu_si512(p);
  const uint64_t ends = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\n'));
  return {ends, ends | _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(','))};
#else
  const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)), b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32));
  auto mask = [&](char c) {
    const __m256i v = _mm256_set1_epi8(c);
    return static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, v)))) |
           static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, v)))) << 32;
  };
  const uint64_t ends = mask('\n');
  return {ends, ends | mask(',')};
#endif
}

bool number(const char* p, const char* end, double& value) {
  static const double scale[] = {1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8};
  if (p == end) return false;
  const bool minus = *p == '-';
  int64_t digits = 0;
  int places = 0, point = 0;
  for (p += minus; p < end; ++p) {
    if (*p == '.') point = 1;
    else digits = digits * 10 + (*p - '0'), places += point;
  }
  value = static_cast<double>(minus ? -digits : digits) * scale[places];
  return true;
}

void scan(const char* bytes, int64_t size, int64_t row, int64_t limit, const int* bounds, bool key_first, Sums& sums) {
  while (row < limit && row < size) {
    int64_t at[4] = {row - 1, 0, 0, 0}, end = size;
    int next = bounds[0] == 0, seen = 0;
    for (int64_t p = row; p < size; p += 64) {
      Block b = look(bytes + p);
      if (b.ends) b.all &= b.ends ^ (b.ends - 1);  // up to the row's end
      const int here = __builtin_popcountll(b.all);
      for (; next < 4 && bounds[next] - seen <= here; ++next)
        at[next] = p + static_cast<int64_t>(__builtin_ctzll(_pdep_u64(1ull << (bounds[next] - seen - 1), b.all)));
      seen += here;
      if (b.ends) {
        end = p + __builtin_ctzll(b.ends);
        break;
      }
    }
    const int64_t *k = at + (key_first ? 0 : 2), *v = at + (key_first ? 2 : 0);
    double value;
    if (next == 4 && number(bytes + v[0] + 1, bytes + v[1], value)) {
      unsigned group = 0;
      for (int64_t i = k[0] + 1; i < k[1]; ++i) group = group * 31 + static_cast<unsigned char>(bytes[i]);
      sums.sum[group & 255] += value, ++sums.count[group & 255];
    }
    row = end + 1;
  }
}
}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return std::fprintf(stderr, "usage: limit_csv GLOB KEY_COLUMN VALUE_COLUMN THREADS\n"), 2;
  const int key = std::atoi(argv[2]), value = std::atoi(argv[3]), threads = std::atoi(argv[4]);
  const int low = key < value ? key : value, high = key < value ? value : key;
  const int bounds[4] = {low, low + 1, high, high + 1};
  glob_t paths;
  glob(argv[1], 0, nullptr, &paths);
  std::vector<int> files;
  std::vector<Piece> pieces;
  int64_t total = 0;
  for (size_t i = 0; i < paths.gl_pathc; ++i) {
    files.push_back(open(paths.gl_pathv[i], O_RDONLY));
    struct stat info;
    fstat(files.back(), &info);
    total += info.st_size;
    for (int64_t at = 0; at < info.st_size; at += kPiece) pieces.push_back({static_cast<int>(i), at, at + kPiece});
  }
  double best = 1e9;
  for (int repeat = 0; repeat < 3; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    std::atomic<size_t> taken{0};
    std::vector<Sums> sums(static_cast<size_t>(threads));
    std::vector<std::thread> pool;
    for (int t = 0; t < threads; ++t)
      pool.emplace_back([&, t] {
        std::vector<char> buffer(kPiece + kTail + 128);
        for (size_t i; (i = taken++) < pieces.size();) {
          const Piece& piece = pieces[i];
          const int64_t from = piece.begin ? piece.begin - 1 : 0;
          const int64_t size = pread(files[static_cast<size_t>(piece.file)], buffer.data(), kPiece + kTail, from);
          const char* first = static_cast<const char*>(std::memchr(buffer.data(), '\n', static_cast<size_t>(size)));
          if (first) scan(buffer.data(), size, first - buffer.data() + 1, piece.end - from, bounds, key < value, sums[static_cast<size_t>(t)]);
        }
      });
    for (auto& thread : pool) thread.join();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::printf("%.4f %ld\n", best, static_cast<long>(total));
}
