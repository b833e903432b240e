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
    df.set_index("s").to_parquet(out + "set_index");
    df.groupby("s")["i"].agg(std::vector<std::string>{"sum"}).reset_index().to_parquet(out + "reset_index");
    std::cout << std::hexfloat << "any " << (df["i"] > 49).any().number() << "\nall " << (df["i"] > -51).all().number() << "\n";
    std::cout << "nlargest " << df.nlargest(3, "i").compute().numbers("f")[0] << "\nnsmallest " << df["i"].nsmallest(3).compute().numbers("i")[2] << "\n";
    for (const auto& [name, method] : kValues) std::cout << name << " " << method(df).number() << "\n";
    std::cout << "len " << df.len() << "\n";
  } catch (const Error& e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
}
