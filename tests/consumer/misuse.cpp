// What the compiler finds: lines marked `error` do not compile, lines marked `warning` drop a result.
#include <muster/muster.hpp>

using muster::DataFrame, muster::Series, muster::Scalar, muster::Table;

int64_t twice(int64_t x) { return 2 * x; }
static const muster::Function<int64_t(int64_t)> kTwice("twice", twice);

void places(DataFrame df, Series column, Scalar value, const Table& table) {
  df["fare"] = column;                                       // error
  df["fare"] = column * 2;                                   // error
  df["fare"] = 3;                                            // error
  df["fare"] = "text";                                       // error
  df["fare"] = value;                                        // error
  df["fare"] = muster::Literal(1.5);                         // error
  df["fare"] += 1;                                           // error
  df[std::vector<std::string>{"fare", "tip"}] = df;          // error
  df[column > 1] = df;                                       // error
  df[column > 1]["fare"] = column;                           // error
  df["fare"][column > 1] = column;                           // error
  df.groupby("k")["fare"] = df.groupby("k")["tip"];          // error
  df.assign("fare", 1) = df;                                 // error
  column.sum() = value;                                      // error
  table.at("fare", 0) = 3;                                   // error
  df.compute() = table;                                      // error
  df = df.assign("fare", column * 2);
  column = df["fare"];
  value = column.sum();
  auto kept = df["fare"];
  kept = kept.abs();
  std::swap(kept, column);
}

void drops(const DataFrame& df, const Series& column, const muster::Cluster& cluster, ArrowSchema* schema, ArrowArray* array) {
  df["fare"];                                                // warning
  df[column > 1];                                            // warning
  df.assign("fare", 1);                                      // warning
  df.compute();                                              // warning
  df.persist();                                              // warning
  df.head();                                                 // warning
  df.len();                                                  // warning
  df.columns();                                              // warning
  df.dtypes();                                               // warning
  df.explain();                                              // warning
  df.npartitions();                                          // warning
  df.groupby("k");                                           // warning
  df.groupby("k").size();                                    // warning
  df.groupby("k")["fare"].mean();                            // warning
  df.groupby("k")["fare"].transform("mean");                 // warning
  df.merge(df, {.on = "k"});                                 // warning
  df.sort_values("k");                                       // warning
  df.sort_values("k", {.ascending = "yes"});                 // error
  df.rolling(3);                                             // warning
  column.rolling(3).mean();                                  // warning
  df.rolling(3) = df.rolling(4);                             // error
  df.call("abs");                                            // warning
  df + 1;                                                    // warning
  column > 1;                                                // warning
  -column;                                                   // warning
  2 * column;                                                // warning
  column.sum();                                              // warning
  column.sum().number();                                     // warning
  column.sum().compute();                                    // warning
  column.name();                                             // warning
  column.str_lower();                                        // warning
  column.compute().numbers("fare");                          // warning
  column.compute().rows();                                   // warning
  muster::read_csv("a.csv");                                 // warning
  muster::read_parquet("a.parquet");                         // warning
  muster::concat({df, df});                                  // warning
  muster::compute({column.sum(), column.mean()});            // warning
  muster::from_arrow(schema, array);                         // warning
  muster::delayed(twice);                                    // warning
  muster::delayed(twice)(1);                                 // warning
  muster::delayed(twice)(1).compute();                       // warning
  cluster.submit(kTwice, int64_t{1});                        // warning
  cluster.map(kTwice, std::vector<int64_t>{1});              // warning
  cluster.submit(kTwice, int64_t{1}).done();                 // warning
  cluster.address();                                         // warning
  df.to_parquet("folder");                                   // returns the number of rows, but writes
  cluster.submit(kTwice, int64_t{1}).result();               // waits
}
