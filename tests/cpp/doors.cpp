// What the C++ methods make of a frame, for the Python tests to compare: doors IN.parquet OUT writes OUT/<method>/part.*.parquet for every typed method.
// Every result goes through Arrow and back before it is written.
#include <functional>
#include <iostream>
#include <map>

#include "muster/muster.hpp"

namespace {
using namespace muster;
using namespace std::chrono_literals;
using Frames = std::map<std::string, std::function<DataFrame(const DataFrame&)>>;
using Columns = std::map<std::string, std::function<Series(const DataFrame&)>>;
using Values = std::map<std::string, std::function<Scalar(const DataFrame&)>>;

// Python's operators by their names.
#define BINARY(f) \
  f(add) f(sub) f(mul) f(truediv) f(div) f(divide) f(floordiv) f(mod) f(pow) f(radd) f(rsub) f(rmul) f(rtruediv) f(rdiv) f(rfloordiv) f(rmod) f(rpow) \
  f(eq) f(ne) f(lt) f(le) f(gt) f(ge)
#define OF_FRAME(name) {"frame_method_" #name, [](auto& d) { return d[std::vector<std::string>{"f", "g"}].name(2); }},
#define OF_SERIES(name) {"method_" #name, [](auto& d) { return d["f"].name(d["j"]); }},

// The other side of merges: sums of some rows by text and by number, in several partitions.
DataFrame by_text(const DataFrame& d) {
  return d[(d["i"] > 20) & (d["s"] != "fig")].groupby({"s", "j"}).agg({{"i", {"sum"}}, {"u", {"max"}}}).reset_index().repartition(3);
}
DataFrame indexed(const DataFrame& d) { return by_text(d).drop("s").groupby("j").sum(); }

const Frames kFrames = {
    BINARY(OF_FRAME)
    {"mode", [](auto& d) { return d[std::vector<std::string>{"i", "s"}].mode(); }},
    {"isnull", [](auto& d) { return d.isnull(); }},
    {"getitems", [](auto& d) { return d[std::vector<std::string>{"i", "s"}]; }},
    {"filter", [](auto& d) { return d[d["i"] > 0]; }},
    {"assign", [](auto& d) { return d.assign("k", d["i"] * 2).assign("one", 1); }},
    {"rename", [](auto& d) { return d.rename({{"i", "number"}}); }},
    {"drop", [](auto& d) { return d.drop({"s", "t"}); }},
    {"astype", [](auto& d) { return d.astype({{"i", "float64"}, {"j", "int64"}}); }},
    {"fillna", [](auto& d) { return d[std::vector<std::string>{"i", "f"}].fillna(0); }},
    {"dropna", [](auto& d) { return d.dropna(); }},
    {"dropna_subset", [](auto& d) { return d.dropna({"t"}); }},
    {"isna", [](auto& d) { return d.isna(); }},
    {"notna", [](auto& d) { return d.notna(); }},
    {"isin", [](auto& d) { return d[std::vector<std::string>{"i", "j"}].isin({1, 2}); }},
    {"abs", [](auto& d) { return d[std::vector<std::string>{"i", "f"}].abs(); }},
    {"frame_where", [](auto& d) { auto n = d[std::vector<std::string>{"i", "f"}]; return n.where(n > 0, 0); }},
    {"frame_mask", [](auto& d) { auto n = d[std::vector<std::string>{"i", "f"}]; return n.mask(n > 0, 0); }},
    {"frame_clip", [](auto& d) { return d[std::vector<std::string>{"i", "f"}].clip(-5, 5); }},
    {"frame_round", [](auto& d) { return d[std::vector<std::string>{"i", "f"}].round(1); }},
    {"frame_replace", [](auto& d) { return d[std::vector<std::string>{"i", "j"}].replace({1, 2}, {2, 1}); }},
    {"frame_cumsum", [](auto& d) { return d[std::vector<std::string>{"i", "f"}].cumsum(); }},
    {"frame_cumprod", [](auto& d) { return (d[std::vector<std::string>{"f", "j"}] / 50).cumprod(); }},
    {"frame_cummin", [](auto& d) { return d[std::vector<std::string>{"i", "f"}].cummin(); }},
    {"frame_cummax", [](auto& d) { return d[std::vector<std::string>{"i", "f"}].cummax(); }},
    {"frame_shift", [](auto& d) { return d[std::vector<std::string>{"i", "s"}].shift(2); }},
    {"frame_diff", [](auto& d) { return d[std::vector<std::string>{"i", "f"}].diff(); }},
    {"frame_ffill", [](auto& d) { return d.ffill(); }},
    {"frame_bfill", [](auto& d) { return d.bfill(1); }},
    {"drop_duplicates", [](auto& d) { return d.drop_duplicates({"s", "j"}); }},
    {"drop_duplicates_one", [](auto& d) { return d.drop_duplicates("s", "first"); }},
    {"drop_duplicates_all", [](auto& d) { return d.drop_duplicates({"s", "i"}, false); }},
    {"merge", [](auto& d) { return d.merge(by_text(d), {.on = {"s", "j"}}); }},
    {"merge_common", [](auto& d) { return d[std::vector<std::string>{"s", "j", "f"}].merge(by_text(d)); }},
    {"merge_left", [](auto& d) { return d.merge(by_text(d), {.how = "left", .on = "s", .suffixes = {"", "_of s"}}); }},
    {"merge_right", [](auto& d) { return d.drop("t").merge(by_text(d), {.how = "right", .on = {"s", "j"}}); }},
    {"merge_two_names", [](auto& d) { return d.merge(by_text(d).rename({{"s", "k"}}), {.left_on = {"s", "j"}, .right_on = {"k", "j"}}); }},
    {"merge_semi", [](auto& d) { return d.merge(by_text(d), {.how = "leftsemi", .on = {"s", "j"}}); }},
    {"merge_anti", [](auto& d) { return d.merge(by_text(d), {.how = "leftanti", .on = {"s", "j"}}); }},
    {"merge_right_index", [](auto& d) { return d.merge(indexed(d), {.left_on = "j", .right_index = true}); }},
    {"merge_indexes", [](auto& d) { return d.set_index("j", {.sort = false}).merge(indexed(d), {.left_index = true, .right_index = true}); }},
    {"merge_indexes_repeated",
     [](auto& d) { return d.set_index("j", {.sort = false}).merge(by_text(d).set_index("j", {.sort = false}), {.left_index = true, .right_index = true}); }},
    {"join_repeated", [](auto& d) { return d.set_index("i", {.sort = false}).join(by_text(d).drop("j").set_index("i", {.sort = false}), {.rsuffix = "_r"}); }},
    {"join_semi", [](auto& d) { return d.set_index("j").join(indexed(d), {.how = "leftanti"}); }},
    {"merge_outer", [](auto& d) { return d.merge(by_text(d), {.how = "outer", .on = {"s", "j"}}); }},
    {"merge_sides", [](auto& d) { return d.merge(by_text(d), {.how = "left", .on = {"s", "j"}, .indicator = "from", .validate = "many_to_one"}); }},
    {"join_outer", [](auto& d) { return indexed(d).join(indexed(d)[std::vector<std::string>{"u"}], {.how = "outer", .lsuffix = "_l"}); }},
    {"merge_exchanged",
     [](auto& d) { return d.merge(by_text(d), {.on = {"s", "j"}, .npartitions = 4, .broadcast = false}).sort_values({"s", "j", "u_x", "g"}); }},
    {"merge_parts", [](auto& d) { return d.merge(by_text(d), {.on = {"s", "j"}, .npartitions = 2}); }},
    {"join", [](auto& d) { return d.join(indexed(d), {.on = "j", .lsuffix = "_l"}); }},
    {"join_indexes", [](auto& d) { return d.set_index("i").join(indexed(d).rename({{"i", "of i"}}), {.how = "inner", .rsuffix = "_r"}); }},
    {"join_row_numbers", [](auto& d) { return d.join(by_text(d).reset_index(true), {.rsuffix = "_r"}); }},
    {"sort_values", [](auto& d) { return d.sort_values("f"); }},
    {"sort_values_several", [](auto& d) { return d.sort_values({"s", "f"}, {.ascending = {false, true}, .na_position = "first", .npartitions = 3}); }},
    {"sort_values_numbered", [](auto& d) { return d.sort_values({"t", "i"}, {.ascending = false, .ignore_index = true}); }},
    {"sort_index", [](auto& d) { return d.set_index("d", {.sort = false}).sort_index({.ascending = false}); }},
    {"set_index_sorted", [](auto& d) { return d.sort_values("u").set_index("u", {.drop = false, .sorted = true}).rename({{"u", "v"}}); }},
    {"set_index_ordered", [](auto& d) { return d.set_index("d"); }},
    {"set_index_divisions", [](auto& d) { return d.set_index("d", {.divisions = {"2013-01-03", "2013-01-05 12:00", "2013-01-09"}}); }},
    {"shuffle", [](auto& d) { return d.shuffle({"s", "j"}, {.npartitions = 3}).sort_values({"u", "g"}); }},
    {"shuffle_on_index", [](auto& d) { return d.set_index("s").shuffle({}, {.on_index = true, .ignore_index = true}).sort_values({"u", "g"}); }},
    {"repartition_divisions", [](auto& d) { return d.set_index("u").repartition({100, 200, 1000}); }},
    {"loc", [](auto& d) { return d.set_index("u", {.divisions = {0, 100, 400, 1000}}).loc(100, 350); }},
    {"loc_of_times", [](auto& d) { return d.set_index("d").loc("2013-01-03", "2013-01-05 12:00:00"); }},
    {"loc_of_row_numbers", [](auto& d) { return d.loc(60, 80); }},
    {"loc_from", [](auto& d) { return d.set_index("u", {.divisions = {0, 100, 400, 1000}}).loc(400, {}); }},
    {"loc_to", [](auto& d) { return d.set_index("s").loc({}, "b"); }},
    {"loc_outside",
     [](auto& d) {
       const DataFrame by_u = d.set_index("u", {.divisions = {200, 300, 500}});
       return concat({by_u.loc(700, {}), by_u.loc({}, 60)});
     }},
    {"loc_of_nothing", [](auto& d) { return d.set_index("u", {.divisions = {0, 100, 400, 1000}}).loc(2000, 3000); }},
    {"frame_rolling", [](auto& d) { return d[std::vector<std::string>{"i", "f"}].rolling(5, {.min_periods = 2}).mean(); }},
    {"frame_rolling_span",
     [](auto& d) { return d[std::vector<std::string>{"i", "d", "f"}].sort_values("d").rolling(3h, {.closed = "both", .on = "d"}).sum(); }},
    {"frame_rolling_index", [](auto& d) { return d[std::vector<std::string>{"i", "d", "f"}].set_index("d").rolling(90min).std(0); }},
    {"group_transform", [](auto& d) { return d[std::vector<std::string>{"t", "i", "f", "g"}].groupby("t").transform("sum"); }},
    {"nlargest_several", [](auto& d) { return d.nlargest(7, {"j", "f"}); }},
    {"concat_inner", [](auto& d) { return concat({d, by_text(d)}, "inner"); }},
    {"add_prefix", [](auto& d) { return d.add_prefix("p_"); }},
    {"add_suffix", [](auto& d) { return d.add_suffix("_s"); }},
    {"get_partition", [](auto& d) { return d.get_partition(1); }},
    {"repartition", [](auto& d) { return d.repartition(3); }},
    {"concat", [](auto& d) { return concat({d, d}); }},
    {"arithmetic", [](auto& d) { auto n = d[std::vector<std::string>{"i", "f"}]; return ((n + n) * 2 - 1) / 4 % 3; }},
    {"reversed", [](auto& d) { auto n = d[std::vector<std::string>{"i", "f"}]; return 7 % (2 / (3 * (1 - (5 + n)))); }},
    {"frame_pow", [](auto& d) { return d[std::vector<std::string>{"i", "f"}].pow(2).floordiv(3); }},
    {"comparison", [](auto& d) { return d[std::vector<std::string>{"i", "f"}] <= 1; }},
    {"to_frame", [](auto& d) { return d["i"].to_frame("x"); }},
    {"group_sum", [](auto& d) { return d[std::vector<std::string>{"s", "i", "f"}].groupby("s").sum(); }},
    {"group_mean", [](auto& d) { return d[std::vector<std::string>{"s", "i", "f"}].groupby("s").mean(); }},
    {"group_min", [](auto& d) { return d[std::vector<std::string>{"s", "i", "f"}].groupby("s").min(); }},
    {"group_max", [](auto& d) { return d[std::vector<std::string>{"s", "i", "f"}].groupby("s").max(); }},
    {"group_count", [](auto& d) { return d[std::vector<std::string>{"s", "i", "f"}].groupby("s").count(); }},
    {"group_std", [](auto& d) { return d[std::vector<std::string>{"s", "i", "f"}].groupby("s").std(); }},
    {"group_var", [](auto& d) { return d[std::vector<std::string>{"s", "i", "f"}].groupby("s").var(); }},
    {"group_median", [](auto& d) { return d[std::vector<std::string>{"s", "i", "f"}].groupby("s").median(); }},
    {"group_nunique", [](auto& d) { return d[std::vector<std::string>{"s", "i", "f"}].groupby("s").nunique(); }},
    {"group_first", [](auto& d) { return d[std::vector<std::string>{"s", "i", "f"}].groupby("s").first(); }},
    {"group_last", [](auto& d) { return d[std::vector<std::string>{"s", "i", "f"}].groupby("s").last(); }},
    {"group_prod", [](auto& d) { return d[std::vector<std::string>{"s", "j", "f"}].groupby("s").prod(); }},
    {"split", [](auto& d) { return d["s"].str_split("p", 2); }},
    {"group_two", [](auto& d) { return d[std::vector<std::string>{"s", "j", "f"}].groupby({"s", "j"}).sum(); }},
    {"group_agg", [](auto& d) { return d.groupby("j")["f"].agg(std::vector<std::string>{"min", "max", "mean"}); }},
};

const Columns kColumns = {
    {"floordiv", [](auto& d) { return d["f"].floordiv(3); }},
    {"pow", [](auto& d) { return d["i"].pow(2); }},
    {"series_arithmetic", [](auto& d) { return (d["i"] + d["f"]) * 2 - d["j"] / 2.0; }},
    {"logic", [](auto& d) { return ~((d["i"] > 0) & (d["f"] < 1)) | (d["b"] ^ (d["j"] == 1)) | (d["j"] != 2) | (d["i"] >= 5) | (d["f"] <= -1); }},
    {"series_reversed", [](auto& d) { return 7 % (2 / (3 * (1 - (5 + d["f"])))); }},
    {"neg", [](auto& d) { return -d["f"]; }},
    {"between", [](auto& d) { return d["i"].between(-5, 5); }},
    {"where", [](auto& d) { return d["f"].where(d["i"] > 0, d["f"] * 2); }},
    {"where_missing", [](auto& d) { return d["s"].where(d["i"] > 0); }},
    {"mask", [](auto& d) { return d["s"].mask(d["b"], "masked"); }},
    {"clip", [](auto& d) { return d["f"].clip({}, 1.5); }},
    {"round", [](auto& d) { return d["f"].round(1); }},
    {"replace", [](auto& d) { return d["s"].replace({"fig"}, {"date"}); }},
    {"cumsum", [](auto& d) { return d["f"].cumsum(); }},
    {"cumprod", [](auto& d) { return (d["f"] / 50).cumprod(); }},
    {"cummin", [](auto& d) { return d["e"].cummin(); }},
    {"cummax", [](auto& d) { return d["i"].cummax(); }},
    {"shift", [](auto& d) { return d["t"].shift(-3); }},
    {"shift_filled", [](auto& d) { return d["i"].shift(3, 7); }},
    {"diff", [](auto& d) { return d["i"].diff(-2); }},
    {"ffill", [](auto& d) { return d["f"].ffill(1); }},
    {"bfill", [](auto& d) { return d["t"].bfill(); }},
    {"series_fillna", [](auto& d) { return d["t"].fillna("none"); }},
    {"series_dropna", [](auto& d) { return d["t"].dropna(); }},
    {"series_isna", [](auto& d) { return d["t"].isna(); }},
    BINARY(OF_SERIES)
    {"series_mode", [](auto& d) { return d["s"].mode(); }},
    {"series_notnull", [](auto& d) { return d["t"].notnull(); }},
    {"series_notna", [](auto& d) { return d["t"].notna(); }},
    {"series_isin", [](auto& d) { return d["s"].isin({"fig", "apple"}); }},
    {"series_abs", [](auto& d) { return d["f"].abs(); }},
    {"series_astype", [](auto& d) { return d["i"].astype("float32"); }},
    {"series_filter", [](auto& d) { return d["s"][d["i"] > 0]; }},
    {"series_rename", [](auto& d) { return d["s"].rename("text"); }},
    {"index", [](auto& d) { return d.set_index("s").index().rename("of s"); }},
    {"series_loc", [](auto& d) { return d.set_index("s")["i"].loc("a", "b"); }},
    {"series_index", [](auto& d) { return d["i"].index().rename("n"); }},
    {"series_sort_values", [](auto& d) { return d["t"].sort_values({.na_position = "first"}); }},
    {"series_sort_index", [](auto& d) { return d.set_index("i", {.sort = false})["f"].sort_index({.ascending = false, .ignore_index = true}); }},
    {"series_repartition", [](auto& d) { return d["i"].repartition(4); }},
    {"series_repartition_divisions", [](auto& d) { return d.set_index("i")["f"].repartition({-50, 0, 0}); }},
    {"series_concat", [](auto& d) { return concat({d["f"], d["i"]}); }},
    {"rolling_sum", [](auto& d) { return d["f"].rolling(4).sum(); }},
    {"rolling_count", [](auto& d) { return d["t"].rolling(3).count(); }},
    {"rolling_min", [](auto& d) { return d["i"].rolling(3, {.center = true}).min(); }},
    {"rolling_max", [](auto& d) { return d["i"].rolling(6, {.min_periods = 1, .closed = "left"}).max(); }},
    {"rolling_var", [](auto& d) { return d["i"].rolling(9).var(); }},
    {"rolling_std", [](auto& d) { return d["i"].rolling(9).std(2); }},
    {"rolling_mean_span", [](auto& d) { return d.set_index("d")["i"].rolling(1h).mean(); }},
    {"transform", [](auto& d) { return d.groupby({"s", "j"})["i"].transform("mean"); }},
    {"transform_missing", [](auto& d) { return d.groupby("t")["u"].transform("max"); }},
    {"transform_all_groups", [](auto& d) { return d.groupby("t", {.dropna = false})["i"].transform("sum"); }},
    {"transform_size", [](auto& d) { return d.groupby("s")["f"].transform("size"); }},
    {"transform_key", [](auto& d) { return d.groupby("s")["s"].transform("count"); }},
    {"transform_float32", [](auto& d) { return d.groupby("s")["g"].transform("sum"); }},
    {"series_drop_duplicates_all", [](auto& d) { return d["f"].drop_duplicates(false); }},
    {"series_drop_duplicates", [](auto& d) { return d["s"].drop_duplicates(); }},
    {"value_counts", [](auto& d) { return d["s"].value_counts(); }},
    {"len", [](auto& d) { return d["s"].str_len(); }},
    {"contains", [](auto& d) { return d["s"].str_contains("pp"); }},
    {"startswith", [](auto& d) { return d["s"].str_startswith("a"); }},
    {"endswith", [](auto& d) { return d["s"].str_endswith("e"); }},
    {"lower", [](auto& d) { return d["t"].str_lower(); }},
    {"upper", [](auto& d) { return d["t"].str_upper(); }},
    {"strip", [](auto& d) { return d["s"].str_strip("ae"); }},
    {"lstrip", [](auto& d) { return d["t"].str_lstrip(); }},
    {"rstrip", [](auto& d) { return d["s"].str_rstrip("es"); }},
    {"slice", [](auto& d) { return d["s"].str_slice(-4, -1); }},
    {"get", [](auto& d) { return d["s"].str_get(2); }},
    {"removeprefix", [](auto& d) { return d["s"].str_removeprefix("a"); }},
    {"removesuffix", [](auto& d) { return d["s"].str_removesuffix("bytes"); }},
    {"text_replace", [](auto& d) { return d["s"].str_replace("e", "EE"); }},
    {"dt_floor", [](auto& d) { return d["d"].dt_floor(15min); }},
    {"dt_ceil", [](auto& d) { return d["d"].dt_ceil(1h); }},
    {"dt_round", [](auto& d) { return d["d"].dt_round(7s); }},
    {"dt_normalize", [](auto& d) { return d["e"].dt_normalize(); }},
    {"dt_day_name", [](auto& d) { return d["e"].dt_day_name(); }},
    {"dt_month_name", [](auto& d) { return d["d"].dt_month_name(); }},
    {"dt_total_seconds", [](auto& d) { return (d["d"] - d["e"]).dt_total_seconds(); }},
    {"dt_days", [](auto& d) { return (d["d"] - d["d"].shift(1)).dt("days"); }},
    {"group_size", [](auto& d) { return d.groupby("s").size(); }},
    {"series_group_sum", [](auto& d) { return d.groupby("s")["i"].sum(); }},
    {"series_group_unsorted", [](auto& d) { return d.groupby("t", {.sort = false, .dropna = false})["f"].max(); }},
};

const Values kValues = {
    {"sum", [](auto& d) { return d["i"].sum(); }},
    {"prod", [](auto& d) { return (d["j"] + 1.0).prod(); }},
    {"product", [](auto& d) { return (d["j"] + 1.0).product(); }},
    {"mean", [](auto& d) { return d["f"].mean(); }},
    {"std", [](auto& d) { return d["f"].std(); }},
    {"var", [](auto& d) { return d["f"].var(); }},
    {"min", [](auto& d) { return d["i"].min(); }},
    {"max", [](auto& d) { return d["f"].max(); }},
    {"count", [](auto& d) { return d["f"].count(); }},
    {"size", [](auto& d) { return d["f"].size(); }},
    {"nunique", [](auto& d) { return d["s"].nunique(); }},
    {"median", [](auto& d) { return d["f"].median(); }},
    {"quantile", [](auto& d) { return d["f"].quantile(0.3); }},
};

// Calls that both doors refuse.
const std::map<std::string, std::function<void(const DataFrame&)>> kRefused = {
    {"no such kind", [](auto& d) { (void)d.merge(d, {.how = "iner"}); }},
    {"a kind of Python's", [](auto& d) { (void)d.merge(d, {.how = "cross"}); }},
    {"no such key", [](auto& d) { (void)d.rename({{"s", "city"}}).merge(d, {.left_on = "citi", .right_on = "s"}); }},
    {"no such key on the right", [](auto& d) { (void)d.merge(d, {.left_on = "s", .right_on = "z"}); }},
    {"no such common key", [](auto& d) { (void)d.merge(d, {.on = {"s", "z"}}); }},
    {"no common column", [](auto& d) { (void)d[std::vector<std::string>{"s"}].merge(d[std::vector<std::string>{"i"}]); }},
    {"keys twice", [](auto& d) { (void)d.merge(d, {.on = "s", .left_on = "i"}); }},
    {"half a key", [](auto& d) { (void)d.merge(d, {.left_on = "s"}); }},
    {"the other half", [](auto& d) { (void)d.merge(d, {.right_on = "s"}); }},
    {"more keys on one side", [](auto& d) { (void)d.merge(d, {.left_on = {"s", "i"}, .right_on = "s"}); }},
    {"several keys and an index", [](auto& d) { (void)d.merge(indexed(d), {.left_on = {"s", "i"}, .right_index = true}); }},
    {"a column as indicator", [](auto& d) { (void)d.merge(d, {.on = "s", .indicator = "i"}); }},
    {"no such validation", [](auto& d) { (void)d.merge(d, {.on = "s", .validate = "one_to_two"}); }},
    {"keys that repeat", [](auto& d) { (void)d.merge(d, {.on = "s", .validate = "many_to_one"}).compute(); }},
    {"no suffixes", [](auto& d) { (void)d.merge(d, {.on = "s", .suffixes = {"", ""}}); }},
    {"suffixes that make equals", [](auto& d) { (void)d.assign("i_x", 1).merge(d, {.on = "s"}); }},
    {"join without suffixes", [](auto& d) { (void)d.join(d.set_index("s"), {.on = "s"}); }},
    {"keys of other dtypes", [](auto& d) { (void)d.merge(d, {.left_on = "s", .right_on = "i"}); }},
    {"sort by nothing", [](auto& d) { (void)d.sort_values(Labels()); }},
    {"sort by what is not there", [](auto& d) { (void)d.rename({{"s", "city"}}).sort_values({"i", "cty"}); }},
    {"too few directions", [](auto& d) { (void)d.sort_values({"s", "i"}, {.ascending = {true}}); }},
    {"no place for what is missing", [](auto& d) { (void)d.sort_values("s", {.na_position = "middle"}); }},
    {"no place in an index", [](auto& d) { (void)d.sort_index({.na_position = "middle"}); }},
    {"sort to less than a partition", [](auto& d) { (void)d.sort_values("s", {.npartitions = -1}); }},
    {"an index that is not there", [](auto& d) { (void)d.set_index("z"); }},
    {"divisions that descend", [](auto& d) { (void)d.set_index("i", {.divisions = {3, 1}}); }},
    {"divisions twice", [](auto& d) { (void)d.set_index("i", {.divisions = {1, 1, 2}}); }},
    {"one division", [](auto& d) { (void)d.set_index("i", {.divisions = {1}}); }},
    {"divisions of another dtype", [](auto& d) { (void)d.set_index("i", {.divisions = {"a", "b"}}); }},
    {"divisions of other partitions", [](auto& d) { (void)d.set_index("i", {.sorted = true, .divisions = {1, 2}}); }},
    {"shuffle by nothing", [](auto& d) { (void)d.shuffle(); }},
    {"shuffle by both", [](auto& d) { (void)d.shuffle("s", {.on_index = true}); }},
    {"shuffle by what is not there", [](auto& d) { (void)d.shuffle("z"); }},
    {"shuffle to less than a partition", [](auto& d) { (void)d.shuffle("s", {.npartitions = -2}); }},
    {"no partitions", [](auto& d) { (void)d.repartition(0); }},
    {"divisions of row numbers", [](auto& d) { (void)d.repartition({1, 2}); }},
    {"new divisions that descend", [](auto& d) { (void)d.set_index("i").repartition({2, 1}); }},
    {"new divisions within the old", [](auto& d) { (void)d.set_index("i", {.divisions = {-50, 0, 50}}).repartition({-40, 50}); }},
    {"no such rows to keep", [](auto& d) { (void)d.drop_duplicates("s", "frist"); }},
    {"the last of equal rows", [](auto& d) { (void)d.drop_duplicates("s", "last"); }},
    {"duplicates by what is not there", [](auto& d) { (void)d.drop_duplicates("z"); }},
    {"largest by what is not there", [](auto& d) { (void)d.nlargest(3, {"i", "z"}); }},
    {"a window of less than no rows", [](auto& d) { (void)d["i"].rolling(-1).sum(); }},
    {"more values than a window has", [](auto& d) { (void)d["i"].rolling(2, {.min_periods = 3}).sum(); }},
    {"no such ends of a window", [](auto& d) { (void)d["i"].rolling(2, {.closed = "leftt"}).sum(); }},
    {"a window on what is not there", [](auto& d) { (void)d.rolling(1h, {.on = "z"}).sum(); }},
    {"a span of numbers", [](auto& d) { (void)d["i"].rolling(1h).sum(); }},
    {"no such aggregate", [](auto& d) { (void)d.groupby("s")["i"].transform("meen"); }},
    {"transform by what is not there", [](auto& d) { (void)d.groupby("z")["i"].transform("mean"); }},
    {"transform of what is not there", [](auto& d) { (void)d.groupby("s")["z"].transform("mean"); }},
    {"a name twice in a file", [](auto& d) { d.set_index("i", {.drop = false}).to_parquet("nowhere"); }},
    {"index values of another dtype", [](auto& d) { (void)d.set_index("i").loc("first", "last"); }},
    {"index values of several levels", [](auto& d) { (void)d.groupby({"s", "j"}).size().loc("a", "b"); }},
    {"nothing to concat", [](auto&) { (void)concat(std::vector<DataFrame>{}); }},
    {"no such way to concat", [](auto& d) { (void)concat({d, d}, "iner"); }},
};

// Through Arrow and back, in three partitions; what Arrow cannot tell apart (an index) becomes columns.
DataFrame through_arrow(const Table& table) {
  ArrowSchema schema;
  ArrowArray array;
  to_arrow(table, &schema, &array);
  return from_arrow(&schema, &array, 3);
}
}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: doors IN OUT\n";
    return 2;
  }
  const std::string out = std::string(argv[2]) + "/";
  try {
    const DataFrame df = read_parquet(argv[1], {.blocksize = 0});
    for (const auto& [name, method] : kFrames) through_arrow(method(df).compute()).to_parquet(out + name, "zstd");
    for (const auto& [name, method] : kColumns) through_arrow(method(df).compute()).to_parquet(out + name, "none");
    for (const char* field : {"year", "month", "day", "hour", "minute", "second", "microsecond", "nanosecond", "dayofweek", "dayofyear", "quarter",
                              "days_in_month", "is_month_start", "is_month_end", "is_leap_year"})
      through_arrow(df["d"].dt(field).compute()).to_parquet(out + field);
    df.to_parquet(out + "to_parquet");
    df.set_index("s", {.sort = false}).to_parquet(out + "set_index");
    df.groupby("s")["i"].agg(std::vector<std::string>{"sum"}).reset_index().to_parquet(out + "reset_index");
    std::cout << std::hexfloat << "any " << (df["i"] > 49).any().number() << "\nall " << (df["i"] > -51).all().number() << "\n";
    std::cout << "nlargest " << df.nlargest(3, "i").compute().numbers("f")[0] << "\nnsmallest " << df["i"].nsmallest(3).compute().numbers("i")[2] << "\n";
    for (const auto& [name, method] : kValues) std::cout << name << " " << method(df).number() << "\n";
    std::cout << "len " << df.len() << "\n";
    for (const auto& [name, call] : kRefused) try {
        call(df);
        std::cout << "refused\t" << name << "\t-1\tnothing\n";
      } catch (const Error& e) {
        std::cout << "refused\t" << name << "\t" << static_cast<int>(e.kind) << "\t" << e.message << "\n";
      }
  } catch (const Error& e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
}
