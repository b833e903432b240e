// Memory for columns: blocks of some size classes, cut from slabs of large pages and used again before new ones are made. First touch of a page costs
// more than a pass over it: what was touched is kept.
#pragma once
#include <cstdint>
#include <memory>

namespace muster::data {

/// `bytes` of new memory, 64-byte aligned with 64 bytes of padding at both ends. Throws Error{memory}.
std::shared_ptr<char> allocate(int64_t bytes);

/// Bytes that may be free and stay resident for the next allocation; 1 GiB at first. Where it is little, the C library keeps no more than as much again.
void keep_memory(int64_t bytes);
/// To be told, now and then, of bytes that were freed: the C library keeps small blocks that lie between others, and gives them back where they are many.
void freed_memory(int64_t bytes);
/// Gives what is free back to the system, the C library's blocks too.
void return_unused_memory();

}  // namespace muster::data
