// Places in the file are given back as pieces die, neighbours grow together, and the file ends where its last piece does. A piece that cannot be written
// gives its place back and is an Error{io} of whoever needed it.
#include "kernels/spill.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <mutex>

#include "base/error.hpp"
#include "base/hash.hpp"

namespace muster::kernels {
using namespace base;
namespace {

std::string folder() {
  for (const char* name : {"MUSTER_TEMPORARY_DIRECTORY", "TMPDIR"})
    if (const char* value = std::getenv(name); value && *value) return value;
  return "/tmp";
}

std::atomic<int64_t> written{0};
constexpr size_t kPiece = 256 << 10;  // bytes of parts that are written together

[[noreturn]] void throw_damaged() { throw io_error("the spill file gave back other bytes than were written; the disk or its file system is damaged"); }

// The file is unlinked before anything is in it: whatever becomes of the process, nothing is left behind.
class File {
 public:
  File() : folder_(folder()) {
    fd_ = ::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd_ < 0) {
      std::string name = folder_ + "/muster-spill-XXXXXX";
      fd_ = ::mkostemp(name.data(), O_CLOEXEC);
      if (fd_ >= 0) ::unlink(name.c_str());
    }
    if (fd_ < 0)
      throw io_error("cannot make a spill file in '", folder_, "': ", std::strerror(errno),
                     "; set MUSTER_TEMPORARY_DIRECTORY to a folder that can be written");
  }
  ~File() { ::close(fd_); }

  int64_t reserve(int64_t size) {
    std::lock_guard lock(mutex_);
    for (auto hole = free_.begin(); hole != free_.end(); ++hole)
      if (hole->second >= size) {
        const int64_t at = hole->first, left = hole->second - size;
        free_.erase(hole);
        if (left) free_.emplace(at + size, left);
        return at;
      }
    const int64_t at = end_;
    end_ += size;
    return at;
  }
  void give_back(int64_t at, int64_t size) {
    std::lock_guard lock(mutex_);
    auto [hole, fresh] = free_.emplace(at, size);
    if (auto next = std::next(hole); next != free_.end() && hole->first + hole->second == next->first) hole->second += next->second, free_.erase(next);
    if (hole != free_.begin())
      if (auto before = std::prev(hole); before->first + before->second == hole->first) before->second += hole->second, free_.erase(hole), hole = before;
    if (hole->first + hole->second == end_) {  // the file gets shorter
      end_ = hole->first;
      free_.erase(hole);
      if (::ftruncate(fd_, end_) != 0) return;
    }
  }
  void write(int64_t at, std::string_view bytes) const {
    while (!bytes.empty()) {
      const auto n = ::pwrite(fd_, bytes.data(), bytes.size(), at);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0)
        throw io_error("cannot write ", bytes.size(), " bytes to the spill file in '", folder_, "': ", std::strerror(n ? errno : ENOSPC),
                       "; make room there, or set MUSTER_TEMPORARY_DIRECTORY to a folder with more, or raise memory-limit");
      bytes.remove_prefix(static_cast<size_t>(n)), at += n;
    }
  }
  void read(int64_t at, std::string& bytes) const {
    for (size_t have = 0; have < bytes.size();) {
      const auto n = ::pread(fd_, bytes.data() + have, bytes.size() - have, at + static_cast<int64_t>(have));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) throw io_error("cannot read the spill file in '", folder_, "': ", n ? std::strerror(errno) : "it is shorter than what was written");
      have += static_cast<size_t>(n);
    }
  }

 private:
  std::string folder_;
  int fd_;
  std::mutex mutex_;
  std::map<int64_t, int64_t> free_;  // holes: place and size
  int64_t end_ = 0;
};

class Piece : public Spilled {
 public:
  Piece(std::shared_ptr<File> file, std::string_view bytes)
      : file_(std::move(file)), size_(static_cast<int64_t>(bytes.size())), at_(file_->reserve(size_)), sum_(hash_bytes(bytes)) {
    try {
      file_->write(at_, bytes);
    } catch (...) {
      file_->give_back(at_, size_);
      throw;
    }
  }
  ~Piece() override { file_->give_back(at_, size_); }
  std::string read() const override {
    std::string bytes(static_cast<size_t>(size_), '\0');
    file_->read(at_, bytes);
    if (!(hash_bytes(bytes) == sum_)) throw_damaged();
    return bytes;
  }
  std::string read(int64_t begin, int64_t size) const override {
    std::string bytes(static_cast<size_t>(size), '\0');
    file_->read(at_ + begin, bytes);
    return bytes;
  }
  int64_t bytes() const override { return size_; }

 private:
  std::shared_ptr<File> file_;
  int64_t size_, at_;
  Hash128 sum_;
};

// One file as long as something is in it.
std::shared_ptr<File> current_file() {
  static std::mutex mutex;
  static std::weak_ptr<File> current;
  static pid_t owner = 0;
  std::lock_guard lock(mutex);
  auto file = current.lock();
  if (!file || owner != ::getpid()) current = file = std::make_shared<File>(), owner = ::getpid();
  return file;
}
}  // namespace

std::shared_ptr<const Spilled> spill(std::string_view bytes) {
  written += static_cast<int64_t>(bytes.size());
  return std::make_shared<Piece>(current_file(), bytes);
}

PackedParts::PackedParts(base::Decoder& in, size_t parts) : ends_(in.list<uint64_t>()), keep_(in.keep()), bytes_(in.get<std::string_view>()) {
  if (!keep_) {
    const auto own = std::make_shared<const std::string>(bytes_);
    keep_ = own, bytes_ = *own;
  }
  if (ends_.size() != parts || !std::is_sorted(ends_.begin(), ends_.end()) || (parts && ends_.back() != bytes_.size()))
    throw io_error("parts of a state that do not fit");
}

PackedPartsWriter::~PackedPartsWriter() {
  char* head = out_.bytes().data() + at_ + sizeof(uint64_t);
  const uint64_t size = out_.size() - begin_;
  if (!ends_.empty()) std::memcpy(head, ends_.data(), ends_.size() * sizeof(uint64_t));
  std::memcpy(head + ends_.size() * sizeof(uint64_t), &size, sizeof size);
}

void SpilledParts::add_bytes(std::string_view bytes) {
  if (!bytes.empty()) {
    const Hash128 sum = hash_bytes(bytes);
    open_.append(reinterpret_cast<const char*>(&sum), sizeof sum).append(bytes);
    if (open_.size() > std::numeric_limits<uint32_t>::max()) throw io_error("cannot spill a part of ", bytes.size(), " bytes");
  }
  ends_.push_back(static_cast<uint32_t>(open_.size()));
  if (open_.size() >= kPiece) close();
}

void SpilledParts::close() {
  if (!open_.empty()) pieces_.push_back({first_, spill(open_)});
  std::string().swap(open_);
  first_ = ends_.size();
}

SpilledParts::Place SpilledParts::place_of(size_t part) const {
  const auto behind = std::upper_bound(pieces_.begin(), pieces_.end(), part, [](size_t p, const Piece& piece) { return p < piece.first; });
  if (behind == pieces_.begin()) return {nullptr, 0, 0};
  const Piece& piece = behind[-1];
  return {&piece, part == piece.first ? 0 : ends_[part - 1], ends_[part]};  // of empty parts behind the last piece the end is 0
}

int64_t SpilledParts::bytes(size_t part) const {
  const auto [piece, begin, end] = place_of(part);
  return end <= begin ? 0 : static_cast<int64_t>(end - begin - sizeof(Hash128));
}

std::string_view SpilledParts::read(size_t part, std::string& room) const {
  const auto [piece, begin, end] = place_of(part);
  if (end <= begin) return {};
  room = piece->spilled->read(begin, end - begin);
  Hash128 sum;
  std::memcpy(&sum, room.data(), sizeof sum);
  const auto bytes = std::string_view(room).substr(sizeof sum);
  if (!(hash_bytes(bytes) == sum)) throw_damaged();
  return bytes;
}

int64_t spilled_bytes() { return written; }

}  // namespace muster::kernels
