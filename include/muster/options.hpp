// How rows of two frames are put together, put in order or moved: options named as pandas and Dask name them. What is not set is the default.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "muster/literal.hpp"

namespace muster {

/// Options of DataFrame::merge. Keys are `on`, or `left_on` and `right_on`, as many of each, or an index; without any the columns that both frames have.
struct Merge {
  /// inner, left, right or outer: the rows of both, in the order of the keys; leftsemi or leftanti: the rows of the left side that have an equal key, or none
  std::string how = "inner";
  Labels on = {};             ///< columns of both
  Labels left_on = {};        ///< columns of the left side, beside right_on or right_index
  Labels right_on = {};       ///< columns of the right side, beside left_on
  bool left_index = false;    ///< the index is the left side's key, as right_index is the right one's
  bool right_index = false;   ///< the index is the right side's key
  std::pair<std::string, std::string> suffixes = {"_x", "_y"};  ///< of columns that both have and that are no keys
  int64_t npartitions = 0;    ///< of the result; 0 = as they come
  std::string indicator = {}; ///< the name of an int8 column: 0 of a row of the left side alone, 1 of the right one, 2 of both
  std::string validate = {};  ///< one_to_one, one_to_many, many_to_one: keys of a side with one do not repeat, or the result is Error{invalid}
  bool broadcast = true;      ///< false: rows of both sides are exchanged by a hash of their keys, so that none is put together as a whole
};

/// Options of DataFrame::join.
struct Join {
  Labels on = {};            ///< columns of this frame that are looked up in the other's index; none = the index of both
  std::string how = "left";  ///< left, inner, leftsemi or leftanti; of both indexes also right and outer
  std::string lsuffix = {};  ///< of this frame's columns that both have
  std::string rsuffix = {};  ///< of the other's
  int64_t npartitions = 0;   ///< of the result; 0 = as they come
};

/// Whether an order ascends: true or false for all keys, or one for each, {true, false}.
struct Ascending {
  Ascending(bool all) : literal(all) {}
  Ascending(std::initializer_list<bool> each) : literal(Literal::List(each.begin(), each.end())) {}
  Ascending(const std::vector<bool>& each) : literal(Literal::List(each.begin(), each.end())) {}
  Ascending(const char*) = delete;  // is no bool
  Literal literal;
};

/// Options of sort_values and sort_index. Rows of equal keys stay in their order.
struct Sort {
  Ascending ascending = true;
  std::string na_position = "last";  ///< first or last: where missing values go
  bool ignore_index = false;         ///< number the rows from 0
  int64_t npartitions = 0;           ///< of the result; 0 = as many as there are
};

/// Options of DataFrame::set_index.
struct SetIndex {
  bool drop = true;              ///< take the column out
  bool sorted = false;           ///< the rows are in the order of the column already
  bool sort = true;              ///< put the rows in its order; false: leave them where they are
  int64_t npartitions = 0;       ///< of the result; 0 = as many as there are
  Literal::List divisions = {};  ///< where partitions begin, and the last value; times as text. What lies outside is in the first or the last
};

/// Options of DataFrame::shuffle.
struct Shuffle {
  int64_t npartitions = 0;    ///< of the result; 0 = as many as there are
  bool on_index = false;      ///< the index is the key
  bool ignore_index = false;  ///< number the rows from 0
};

/// Options of moving windows.
struct Window {
  int64_t min_periods = -1;      ///< values a window needs to have a result; -1 = all of a window of rows, 1 of a span of time
  bool center = false;           ///< the row is in the middle of its window, not at its end; of rows only
  std::string closed = "right";  ///< right, left, both or neither: which ends a window has
  std::string on = {};           ///< of a frame and a span of time: the column of the times; none = the index
};

}  // namespace muster
