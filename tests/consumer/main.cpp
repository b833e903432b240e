// Every typed operation of the public headers, checked against hand-made answers.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>

#include <muster/muster.hpp>

using muster::DataFrame;

#define CHECK(...) \
  if (!(__VA_ARGS__)) return std::fprintf(stderr, "line %d: %s\n", __LINE__, #__VA_ARGS__), 1

int main() {
  std::ofstream("consumer.csv") << "k,x,y,d\na,1,2.5,2020-01-31\nb,2,,2020-02-29\na,3,4.5,2021-12-31\n";
  DataFrame df = muster::read_csv("consumer.csv", {.parse_dates = muster::parse_dates::columns({"d"})});
  CHECK(df.npartitions() == 1 && df.len() == 3);
  CHECK((df.columns() == std::vector<std::string>{"k", "x", "y", "d"}));
  CHECK((df.dtypes() == std::vector<std::string>{"str", "int64", "float64", "datetime64[us]"}));
  CHECK(df["x"].sum().number() == 6 && df["y"].mean().number() == 3.5 && df["x"].max().number() == 3 && df["x"].nunique().number() == 3);
  CHECK(df["x"].std().number() == 1 && df["x"].var().number() == 1 && df["y"].count().number() == 2 && df["x"].size().number() == 3);
  CHECK((df["x"] > 1).any().number() == 1 && (df["x"] > 1).all().number() == 0);
  auto means = df.groupby("k")["x"].mean().compute();
  CHECK((means.index() == std::vector<std::string>{"k"}) && (means.texts("k") == std::vector<std::string>{"a", "b"}) &&
        (means.numbers("x") == std::vector<double>{2, 2}));
  CHECK(df[(df["x"] > 1) & (df["k"] == "a")].compute().rows() == 1);
  CHECK(df[~df["y"].isna()]["x"].sum().number() == 4);
  CHECK((df["x"] * 2 + df["y"]).sum().number() == 2 + 2.5 + 6 + 4.5);
  CHECK((df["x"] - df["x"].mean()).sum().number() == 0);
  CHECK(df.assign("z", df["x"] + 1)["z"].max().number() == 4 && df.assign("one", 1)["one"].sum().number() == 3);
  CHECK(df.fillna(muster::Literal::Dict{{"y", 0.0}})["y"].min().number() == 0);
  CHECK(df.dropna({"y"}).len() == 2 && df.drop({"y"}).columns().size() == 3 && df.rename({{"x", "X"}})["X"].sum().number() == 6);
  CHECK((df.nlargest(1, "x").compute().texts("k") == std::vector<std::string>{"a"}) && df.nsmallest(1, "x").compute().numbers("x")[0] == 1);
  CHECK((df["d"].dt("year").compute().numbers("d") == std::vector<double>{2020, 2020, 2021}));
  CHECK(df["k"].isin({"a"}).sum().number() == 2 && df["x"].astype("float64").dtype() == "float64");
  CHECK((df["k"].value_counts().compute().numbers("count") == std::vector<double>{2, 1}));
  CHECK(df.head(2).rows() == 2 && df.tail(1).numbers("x")[0] == 3 && df.persist().len() == 3);
  auto stats = df.groupby("k").agg({{"x", {"min", "max"}}, {"y", {"count"}}}).compute();
  CHECK((stats.columns() == std::vector<std::string>{"x min", "x max", "y"}) && stats.numbers("x max")[0] == 3);
  CHECK(df["x"].median().number() == 2 && df["x"].quantile(0.25).number() == 1.5 && df["k"].str_contains("b").sum().number() == 1 &&
        df["k"].str_len().sum().number() == 3);
  CHECK(df["k"].str_startswith("a").sum().number() == 2 && df["k"].str_endswith("b").sum().number() == 1);
  CHECK(df.repartition(3).npartitions() == 3 && df.repartition(3)["x"].sum().number() == 6 && df["x"].repartition(2).len() == 3);
  CHECK(muster::concat({df, df}).len() == 6 && df.groupby("k", {.sort = false})["x"].median().compute().numbers("x")[0] == 2);
  auto names = df[std::vector<std::string>{"k", "y"}].drop_duplicates("k");
  CHECK((df.merge(names, {.how = "left", .on = "k"}).columns() == std::vector<std::string>{"k", "x", "y_x", "d", "y_y"}));
  CHECK((df.join(names.set_index("k"), {.on = "k", .rsuffix = "_first"}).sort_values("x", {.ascending = false}).compute().numbers("y_first")[0] == 2.5));
  CHECK(df.set_index("x").repartition({1, 3, 9}).npartitions() == 2 && df.shuffle("k", {.npartitions = 4}).len() == 3);
  CHECK((df.set_index("x", {.divisions = {1, 2, 3}}).divisions().size() == 3) && df.divisions().empty());
  CHECK(df["x"].rolling(2).sum().max().number() == 5 && df.groupby("k")["x"].transform("sum").max().number() == 4);
  auto both = muster::compute({df["x"].sum(), df["y"].sum()});
  CHECK(both.size() == 2 && both[1].numbers("y")[0] == 7);
  CHECK(df[std::vector<std::string>{"x", "y"}].mean().compute().numbers("x")[0] == 2);
  std::ostringstream out;
  out << df.compute() << df.explain() << df["x"].max().to_dot();
  CHECK(out.str().find("2020-02-29") != std::string::npos && out.str().find("NaN") != std::string::npos && out.str().find("digraph") != std::string::npos);
  try {
    static_cast<void>(df["z"]);
    return 2;
  } catch (const muster::Error& error) {
    CHECK(error.kind == muster::ErrorKind::missing);
  }
  std::remove("consumer.csv");
  std::cout << "consumer: all checks passed\n";
}
