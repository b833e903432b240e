// Pages of 2 MiB: memory in large pieces, of the processor's huge pages where these pay. A page that is free stays resident, within a limit, and is moved to
// where the next one is wanted instead of being cleared by the system: that costs as much as two passes over it.
#pragma once
#include <cstdint>
#include <memory>

namespace muster::data {

constexpr int64_t kPageBytes = 2 << 20;

/// Address space of `pages` whole pages, aligned to one; each gets memory, of any content, when it is touched. nullptr if there is none.
std::shared_ptr<char> reserve_pages(int64_t pages);
/// Puts free pages under [first, first + pages), which nobody has touched yet, as many as there are.
void move_pages_under(char* first, int64_t pages);

/// Counts bytes that are free and stay resident; false where these would be more than the limit. Negative: they are used again.
bool keep_resident(int64_t bytes);
void set_most_resident(int64_t bytes);
/// Gives the free pages back to the system.
void return_free_pages();

}  // namespace muster::data
